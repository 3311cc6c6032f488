/*
 * guest.c: runs requests in coroutines, and judges how they end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <unwind.h>

#include <moat/sched.h>

#include "guest.h"
#include "heaps.h"
#include "lua_handler.h"
#include "report.h"
#include "routes.h"
#include "server.h"

#define MS UINT64_C(1000000)

/* A guest that computes gives way to others after a slice of CPU time, and may
 * have so many. Counting them costs nothing where there is only one; an exact
 * total would take two system calls for each request. */
#define SLICE      (2 * MS)
#define MAX_SLICES 50

/* Lua's library functions call themselves. */
#define STACK_BYTES ((size_t)128 << 10)

/* Guests that wait, at most. */
#define MAX_IDLE 64

static moat_spec *spec;
static struct guest *idle;
static unsigned idle_count;

bool guests_begin(void)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    limits.slice_ns = SLICE;
    options.stack_bytes = STACK_BYTES;
    options.name = "request";
    options.limits = &limits;
    options.script = &lua_frames;
    return moat_spec_create(&spec, &options) == MOAT_OK;
}

static void destroy(struct guest *guest)
{
    /* One that has not ended ends where it is: unwinding it would run more of
     * it. */
    if (moat_co_get_state(guest->co) == MOAT_CO_SUSPENDED)
        (void)!moat_co_reset(guest->co);
    moat_co_destroy(guest->co);
    free(guest);
}

void guests_end(void)
{
    while (idle != NULL) {
        struct guest *guest = idle;

        idle = guest->next;
        destroy(guest);
    }
    idle_count = 0;
    moat_spec_destroy(spec);
    exchanges_free();
    heaps_free();
}

/* ---- On the guest's stack ------------------------------------------------ */

static void parse(struct exchange *exchange)
{
    struct input *input = &exchange->input;

    input->parsed +=
        request_parse(&exchange->request, input->bytes + input->begin,
                      input->bytes + input->parsed, input->end - input->parsed);
}

static void handle(struct exchange *exchange)
{
    const struct route *route = route_of(exchange);

    if (route == NULL)
        return;
    if (route->has_heap && !exchange_borrow_heap(exchange))
        reply_status(&exchange->reply, 503);
    else
        route->handler(exchange);
}

static void serve_one(struct exchange *exchange)
{
    struct request *request = &exchange->request;

    parse(exchange);
    if (request->refusal != 0)
        reply_status(&exchange->reply, request->refusal);
    else if (request->stage == REQUEST_WHOLE)
        handle(exchange);
    else
        return;
    if (exchange->error[0] == '\0')
        exchange_answer(exchange);
}

static void *serve_all(moat_co *self, void *input)
{
    const struct guest *guest = moat_co_user(self);

    for (;;) {
        serve_one(guest->exchange);
        (void)moat_co_yield(self, NULL);
    }
    return input;
}

/* ---- On the connection's task -------------------------------------------- */

static struct guest *make(void)
{
    struct guest *guest = malloc(sizeof *guest);

    if (guest == NULL)
        return NULL;
    if (moat_co_create_from(&guest->co, spec, serve_all, guest) == MOAT_OK)
        return guest;
    free(guest);
    return NULL;
}

static struct guest *take(void)
{
    struct guest *guest = idle;

    if (guest == NULL)
        return make();
    idle = guest->next;
    idle_count--;
    return guest;
}

static void give_heap(struct exchange *exchange)
{
    heap_give(exchange->heap);
    exchange->heap = NULL;
    exchange->lua = NULL;
}

void guest_drop(struct exchange *exchange)
{
    if (exchange->guest == NULL)
        return;
    destroy(exchange->guest);
    exchange->guest = NULL;
    give_heap(exchange);
}

/* It has ended its request, and waits for another. */
static void release(struct exchange *exchange)
{
    struct guest *guest = exchange->guest;

    if (idle_count == MAX_IDLE) {
        guest_drop(exchange);
        return;
    }
    exchange->guest = NULL;
    if (exchange->heap != NULL)
        give_heap(exchange);
    guest->exchange = NULL;
    guest->next = idle;
    idle = guest;
    idle_count++;
}

static enum guest_state end(struct exchange *exchange)
{
    if (exchange->error[0] != '\0')
        report_words(exchange, exchange->error);
    release(exchange);
    return GUEST_ENDED;
}

static enum guest_state fail(struct exchange *exchange, moat_status status,
                             const moat_event *event)
{
    if (status != MOAT_OK) {
        report_words(exchange, moat_status_str(status));
    } else if (event->kind == MOAT_EVENT_TRAP) {
        report_trap(exchange);
    } else {
        if (event->kind == MOAT_EVENT_PANIC)
            _Unwind_DeleteException(event->value);
        report_words(exchange, "an exception");
    }
    guest_drop(exchange);
    return GUEST_ENDED;
}

static enum guest_state resume(struct exchange *exchange)
{
    moat_event event;
    moat_status status = moat_co_resume(exchange->guest->co, NULL, &event);

    if (status != MOAT_OK)
        return fail(exchange, status, NULL);
    if (event.kind == MOAT_EVENT_YIELD && event.value == NULL)
        return end(exchange);
    if (event.kind == MOAT_EVENT_YIELD) {
        exchange->errand = event.value;
        return GUEST_SENT;
    }
    if (event.kind == MOAT_EVENT_PREEMPT) {
        exchange->slices++;
        return GUEST_GAVE_WAY;
    }
    return fail(exchange, status, &event);
}

static enum guest_state begin(struct exchange *exchange)
{
    const struct server *server = exchange->server;

    exchange->guest = take();
    exchange->error[0] = '\0';
    if (exchange->guest == NULL)
        return fail(exchange, MOAT_E_NOMEM, NULL);
    exchange->guest->exchange = exchange;
    exchange->slices = 0;
    exchange->deadline = server->now + server->settings->answer_time;
    return resume(exchange);
}

static const char *find_objection(const struct exchange *exchange)
{
    if (exchange->slices == MAX_SLICES)
        return "time limit passed: 100 ms of CPU time";
    return moat_now() >= exchange->deadline ? "no answer in time" : NULL;
}

enum guest_state guest_step(struct exchange *exchange)
{
    const char *objection;

    if (exchange->guest == NULL)
        return begin(exchange);
    objection = find_objection(exchange);
    if (objection == NULL)
        return resume(exchange);
    report_stop(exchange, objection);
    guest_drop(exchange);
    return GUEST_ENDED;
}
