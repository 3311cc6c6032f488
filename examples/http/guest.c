/*
 * guest.c: runs a handler in a coroutine of its own, and judges how it ends.
 *
 * The connection's task resumes the handler, so it is the handler's host: it
 * hears of a trap, can look at the dead coroutine for the report, and does the
 * handler's errands, which may wait as tasks may.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unwind.h>

#include <moat/sched.h>

#include "connection.h"
#include "guest.h"
#include "heaps.h"
#include "lua_handler.h"
#include "output.h"
#include "report.h"
#include "server.h"

#define MS UINT64_C(1000000)

/* A handler that computes gives way to others after a slice of CPU time, and
 * may have so many. Counting them costs nothing where there is only one; an
 * exact total would take two system calls for each request. */
#define SLICE      (2 * MS)
#define MAX_SLICES 50

/* The C stack of Lua's library functions that call themselves is deep. */
#define NATIVE_STACK ((size_t)32 << 10)
#define LUA_STACK    ((size_t)128 << 10)

/* Ready coroutines of each spec. */
#define READY 16

static moat_spec *specs[ROUTE_KINDS];

/* ---- What guests are made of
 * --------------------------------------------------
 */

static bool make_spec(enum route_kind kind, size_t stack_bytes,
                      const moat_script *script)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    limits.slice_ns = SLICE;
    options.stack_bytes = stack_bytes;
    options.name = "handler";
    options.limits = &limits;
    options.script = script;
    return moat_spec_create(&specs[kind], &options) == MOAT_OK &&
           moat_spec_prepare(specs[kind], READY) == MOAT_OK;
}

bool guests_begin(void)
{
    return make_spec(ROUTE_NATIVE, NATIVE_STACK, NULL) &&
           make_spec(ROUTE_LUA, LUA_STACK, &lua_frames);
}

void guests_end(void)
{
    for (int kind = 0; kind < ROUTE_KINDS; kind++)
        moat_spec_destroy(specs[kind]);
    heaps_free();
}

/* ---- On the guest's stack
 * ------------------------------------------------------
 */

static void *enter(moat_co *self, void *input)
{
    const struct route *route = input;

    route->handler(moat_co_user(self));
    return NULL;
}

void exchange_send(struct errand *errand)
{
    (void)moat_co_yield(moat_co_current(), errand);
}

/* ---- On the connection's task
 * ----------------------------------------------------
 */

void guest_drop(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;

    /* A handler whose client is gone ends where it is: unwinding it would run
     * more of it. */
    if (moat_co_get_state(connection->guest) == MOAT_CO_SUSPENDED)
        (void)!moat_co_reset(connection->guest);
    moat_co_destroy(connection->guest);
    connection->guest = NULL;
    heap_give(exchange->heap);
    exchange->heap = NULL;
    exchange->lua = NULL;
}

/* How a handler has ended. */
struct end {
    moat_status status; /* of the create or the last resume */
    moat_event event;
    const char *objection; /* why it was stopped; NULL: it was not */
};

/* Other tasks run meanwhile: the shared output must be empty. */
static bool give_way(struct connection *connection)
{
    if (!connection_flush(connection))
        return false;
    moat_task_yield();
    return true;
}

static bool run_errand(struct connection *connection, struct errand *errand,
                       uint64_t deadline)
{
    if (!connection_flush(connection))
        return false;
    errand->run(errand->arg, deadline);
    return true;
}

static const char *find_objection(unsigned slices, uint64_t deadline)
{
    if (slices == MAX_SLICES)
        return "time limit passed: 100 ms of CPU time";
    return moat_now() >= deadline ? "no answer in time" : NULL;
}

/* Runs the handler until its end. False: the client is gone. */
static bool run(struct connection *connection, const struct route *route,
                struct end *end)
{
    uint64_t deadline =
        connection->server->now + connection->server->settings->answer_time;
    void *input = (void *)(uintptr_t)route;
    unsigned slices = 0;

    while (end->objection == NULL) {
        end->status = moat_co_resume(connection->guest, input, &end->event);
        if (end->status != MOAT_OK)
            return true;
        if (end->event.kind == MOAT_EVENT_PREEMPT) {
            slices++;
            if (!give_way(connection))
                return false;
        } else if (end->event.kind == MOAT_EVENT_YIELD) {
            if (!run_errand(connection, end->event.value, deadline))
                return false;
        } else {
            return true;
        }
        end->objection = find_objection(slices, deadline);
    }
    return true;
}

static void judge(struct exchange *exchange, const moat_co *guest,
                  const struct end *end)
{
    if (end->status != MOAT_OK) {
        report_words(exchange, moat_status_str(end->status));
    } else if (end->objection != NULL) {
        report_stop(exchange, guest, end->objection);
    } else if (end->event.kind == MOAT_EVENT_TRAP) {
        report_trap(exchange, guest);
    } else if (end->event.kind == MOAT_EVENT_PANIC) {
        _Unwind_DeleteException(end->event.value);
        report_words(exchange, "an exception");
    } else if (exchange->error[0] != '\0') {
        report_words(exchange, exchange->error);
    }
}

static moat_status create(struct connection *connection,
                          const struct route *route)
{
    struct exchange *exchange = &connection->exchange;

    exchange->error[0] = '\0';
    if (route->has_heap && (exchange->heap = heap_take()) == NULL)
        return MOAT_E_NOMEM;
    return moat_co_create_from(&connection->guest, specs[route->kind], enter,
                               exchange);
}

bool guest_answer(struct connection *connection, const struct route *route)
{
    struct end end = {.status = create(connection, route)};
    bool is_there = true;

    if (end.status == MOAT_OK)
        is_there = run(connection, route, &end);
    if (is_there)
        judge(&connection->exchange, connection->guest, &end);
    guest_drop(connection);
    return is_there;
}
