/*
 * guest.c: runs a handler in a coroutine of its own, and judges how it ends.
 *
 * The connection's task is the handler's host: it hears of a trap, has the dead
 * coroutine at hand for the report, and does the handler's errands, which may
 * wait as tasks may.
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

/* ---- On the stack of the scheduler's thread
 * ---------------------------------- */

/* There a coroutine is made, entered and freed by a few instructions, without a
 * system call; on a task's stack, where the task may be stopped between any two
 * of them, signals would have to be blocked. */

/* An answer of a handler. */
struct visit {
    struct connection *connection;
    const struct route *route;
    moat_status status;    /* of the create or the last resume          */
    moat_event event;      /* of the last resume                        */
    const char *objection; /* why it is not resumed again; NULL: it is  */
};

void guest_drop(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;

    /* A handler that is dropped ends where it is: unwinding it would run more
     * of it. */
    if (moat_co_get_state(connection->guest) == MOAT_CO_SUSPENDED)
        (void)!moat_co_reset(connection->guest);
    moat_co_destroy(connection->guest);
    connection->guest = NULL;
    heap_give(exchange->heap);
    exchange->heap = NULL;
    exchange->lua = NULL;
}

static void judge(const struct visit *visit)
{
    struct exchange *exchange = &visit->connection->exchange;
    const moat_co *guest = visit->connection->guest;

    if (visit->status != MOAT_OK) {
        report_words(exchange, moat_status_str(visit->status));
    } else if (visit->objection != NULL) {
        report_stop(exchange, guest, visit->objection);
    } else if (visit->event.kind == MOAT_EVENT_TRAP) {
        report_trap(exchange, guest);
    } else if (visit->event.kind == MOAT_EVENT_PANIC) {
        _Unwind_DeleteException(visit->event.value);
        report_words(exchange, "an exception");
    } else if (exchange->error[0] != '\0') {
        report_words(exchange, exchange->error);
    }
}

static moat_status create(const struct visit *visit)
{
    struct connection *connection = visit->connection;
    struct exchange *exchange = &connection->exchange;

    exchange->error[0] = '\0';
    if (visit->route->has_heap && (exchange->heap = heap_take()) == NULL)
        return MOAT_E_NOMEM;
    return moat_co_create_from(&connection->guest, specs[visit->route->kind],
                               enter, exchange);
}

static bool is_over(const struct visit *visit)
{
    return visit->status != MOAT_OK || visit->objection != NULL ||
           (visit->event.kind != MOAT_EVENT_YIELD &&
            visit->event.kind != MOAT_EVENT_PREEMPT);
}

/* Runs the handler until it waits, its slice is over or it has ended. */
static void *step(void *arg)
{
    struct visit *visit = arg;
    struct connection *connection = visit->connection;

    if (connection->guest == NULL)
        visit->status = create(visit);
    if (visit->status == MOAT_OK && visit->objection == NULL)
        visit->status = moat_co_resume(
            connection->guest, (void *)(uintptr_t)visit->route, &visit->event);
    if (is_over(visit)) {
        judge(visit);
        guest_drop(connection);
    }
    return NULL;
}

/* ---- On the connection's task
 * ------------------------------------------------ */

/* Other tasks run meanwhile: the shared output must be empty. False: the client
 * is gone. */
static bool let_others_run(const struct visit *visit, uint64_t deadline)
{
    const struct errand *errand = visit->event.value;

    if (!connection_flush(visit->connection))
        return false;
    if (visit->event.kind == MOAT_EVENT_YIELD)
        errand->run(errand->arg, deadline);
    else
        moat_task_yield();
    return true;
}

static const char *find_objection(unsigned slices, uint64_t deadline)
{
    if (slices == MAX_SLICES)
        return "time limit passed: 100 ms of CPU time";
    return moat_now() >= deadline ? "no answer in time" : NULL;
}

bool guest_answer(struct connection *connection, const struct route *route)
{
    struct visit visit = {.connection = connection, .route = route};
    uint64_t deadline =
        connection->server->now + connection->server->settings->answer_time;
    unsigned slices = 0;

    for (;;) {
        (void)moat_call_on_parent(moat_co_current(), step, &visit);
        if (connection->guest == NULL)
            return true;
        if (!let_others_run(&visit, deadline))
            return false;
        slices += visit.event.kind == MOAT_EVENT_PREEMPT;
        visit.objection = find_objection(slices, deadline);
    }
}
