/*
 * traps.c: guests that trap, for hosts in another language.
 *
 * SPDX-License-Identifier: MIT
 */
#include "traps.h"

#include <stdio.h>

#include <moat/moat.h>

#define MS UINT64_C(1000000)

/* A passed limit takes time; so one in so many guests has one. */
#define LOOPS_EVERY 250

static int *volatile nowhere;
static volatile int zero;

static void *write_null(moat_co *self, void *input)
{
    (void)self;
    *nowhere = 1;
    return input;
}

static __attribute__((noinline)) int descend(int depth)
{
    volatile char frame[256];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

static void *overflow(moat_co *self, void *input)
{
    (void)self;
    (void)descend(0);
    return input;
}

static void *illegal(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("ud2");
    return input;
}

static void *divide(moat_co *self, void *input)
{
    (void)self;
    zero = 100 / zero;
    return input;
}

static void *loop(moat_co *self, void *input)
{
    (void)self;
    for (volatile int i = 0;; i++)
        ;
    return input;
}

static void *serve(void *service)
{
    (*(void (**)(void))service)();
    return NULL;
}

static void *call_service(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, serve, input);
    return input;
}

static const struct {
    moat_entry entry;
    moat_trap_kind kind;
} deeds[] = {
    {write_null, MOAT_TRAP_NULL},
    {overflow, MOAT_TRAP_STACK_OVERFLOW},
    {illegal, MOAT_TRAP_ILLEGAL},
    {divide, MOAT_TRAP_ARITHMETIC},
};

#define DEEDS ((int)(sizeof(deeds) / sizeof(deeds[0])))

/* Returns the event's kind, and in *trap that of the trap. */
static moat_event_kind run(moat_entry entry, void *input, uint64_t limit_ns,
                           moat_trap_kind *trap)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co;

    limits.wall_ns = limit_ns;
    if (limit_ns != 0)
        options.limits = &limits;
    options.stack_bytes = (size_t)64 << 10;
    if (moat_co_create(&co, entry, &options) != MOAT_OK ||
        moat_co_resume(co, input, &event) != MOAT_OK)
        return MOAT_EVENT_YIELD;
    if (event.kind == MOAT_EVENT_TRAP &&
        moat_co_trap_info(co, &info) == MOAT_OK)
        *trap = info.kind;
    moat_co_destroy(co);
    return event.kind;
}

static int expect(moat_entry entry, uint64_t limit_ns, moat_trap_kind kind)
{
    moat_trap_kind trap = MOAT_TRAP_NONE;
    moat_event_kind event = run(entry, NULL, limit_ns, &trap);

    if (event == MOAT_EVENT_TRAP && trap == kind)
        return 1;
    (void)fprintf(stderr, "event %d, trap %s instead of %s\n", (int)event,
                  moat_trap_kind_name(trap), moat_trap_kind_name(kind));
    return 0;
}

int traps_run(int count, void (*service)(void))
{
    int right = 0;

    for (int i = 0; i < count; i++) {
        moat_trap_kind trap;

        if (i % LOOPS_EVERY == LOOPS_EVERY - 1)
            right += expect(loop, 5 * MS, MOAT_TRAP_DEADLINE);
        else
            right += expect(deeds[i % DEEDS].entry, 0, deeds[i % DEEDS].kind);
        if (service != NULL && run(call_service, (void *)&service, 0, &trap) !=
                                   MOAT_EVENT_RETURN) {
            (void)fprintf(stderr, "a service did not return\n");
            return 0;
        }
    }
    return right;
}

int traps_check(void)
{
    return moat_engine_check();
}

int traps_install(void)
{
    return moat_engine_init(NULL);
}
