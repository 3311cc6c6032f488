/*
 * scenes.c: scenes for the sessions of the debuggers.
 *
 *   scenes states   a coroutine in each state; the innermost of three that are
 *                   nested stops the program
 *   scenes trapped  a trapped one; the host stops
 *   scenes lost     one that overflowed and one that jumped to nowhere
 *   scenes many     10,000 suspended ones; the host stops
 *   scenes deep     six nested; the innermost stops
 *   scenes call     a guest's host call on the host's stack stops
 *   scenes spin     six nested; the innermost works, for profilers
 *
 * A stop is a SIGQUIT to the own thread. moat does not treat it as a trap, so a
 * debugger stops there; without a debugger the program dumps core.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/frame.h"

#define MANY 10000
#define DEEP 6

#if defined(__GNUC__) && !defined(__clang__)
#    define OPTIMISED __attribute__((optimize("O2", "omit-frame-pointer")))
#else
#    define OPTIMISED
#endif

static int *volatile nowhere;
static bool spins;

FRAME static void stop(void)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
    KEEP_FRAME();
}

static moat_co *make(const char *name, moat_entry entry, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = name;
    options.user = user;
    options.stack_bytes = (size_t)64 << 10;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        exit(2);
    return co;
}

FRAME static moat_event_kind resume(moat_co *co, void *input)
{
    moat_event event;

    if (moat_co_resume(co, input, &event) != MOAT_OK)
        exit(3);
    return event.kind;
}

/* --- guests -------------------------------------------------------------- */

FRAME static void wait_for(moat_co *self, int order)
{
    int waiting = order;

    (void)moat_co_yield(self, &waiting);
    KEEP_FRAME();
}

static void *waiter(moat_co *self, void *input)
{
    int order = *(int *)input;

    wait_for(self, order);
    return input;
}

static void *returner(moat_co *self, void *input)
{
    (void)self;
    return input;
}

FRAME static void store(int *where, int value)
{
    *where = value;
}

static void *breaker(moat_co *self, void *input)
{
    (void)self;
    store(nowhere, 42);
    return input;
}

/* Without a frame pointer it is the call that overflows, for which the rows of
 * the previous instruction do not hold. */
__attribute__((noinline)) OPTIMISED static int descend(int depth)
{
    volatile char room[64];

    room[depth % 64] = 1;
    return depth == 0 ? 0 : descend(depth + 1) + room[depth % 64];
}

static void *descender(moat_co *self, void *input)
{
    (void)self;
    return descend(1) == 0 ? NULL : input;
}

static void *jumper(moat_co *self, void *input)
{
    void (*volatile nothing)(void) = NULL;

    (void)self;
    nothing();
    return input;
}

/* --- three deep ---------------------------------------------------------- */

static void *inner(moat_co *self, void *input)
{
    (void)self;
    stop();
    return input;
}

static void *middle(moat_co *self, void *input)
{
    (void)self;
    (void)resume(make("inner", inner, NULL), input);
    return input;
}

static void *outer(moat_co *self, void *input)
{
    (void)self;
    (void)resume(make("middle", middle, NULL), input);
    return input;
}

FRAME static void scene_states(void)
{
    int order = 7;

    (void)make("fresh", returner, NULL);
    (void)resume(make("waiting", waiter, NULL), &order);
    (void)resume(make("done", returner, NULL), NULL);
    (void)resume(make("broken", breaker, NULL), NULL);
    moat_co_destroy(make("gone", returner, NULL));
    (void)resume(make("outer", outer, NULL), NULL);
}

static void scene_trapped(void)
{
    moat_co *co = make("broken", breaker, NULL);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_frame frames[8];
    moat_event event;
    size_t count;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
        moat_co_trap_info(co, &info) != MOAT_OK)
        exit(4);
    memset(frames, 0, sizeof frames);
    (void)moat_co_backtrace(co, frames, 8, &count);
    stop();
}

static void scene_lost(void)
{
    (void)resume(make("descender", descender, NULL), NULL);
    (void)resume(make("jumper", jumper, NULL), NULL);
    stop();
}

static void scene_many(void)
{
    static int orders[MANY];
    char name[16];

    for (int i = 0; i < MANY; i++) {
        orders[i] = i + 1;
        (void)snprintf(name, sizeof name, "worker%d", i + 1);
        (void)resume(make(name, waiter, NULL), &orders[i]);
    }
    stop();
}

/* --- six deep ------------------------------------------------------------ */

/* Long enough for a profiler, but with an end. */
FRAME static void spin(void)
{
    struct timespec start, now;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (volatile int i = 0; i < 1000000; i++)
            ;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec < 2);
}

static void *level(moat_co *self, void *input)
{
    int depth = *(int *)input;
    int next = depth + 1;
    char name[16];

    (void)self;
    (void)snprintf(name, sizeof name, "level%d", next);
    if (depth < DEEP)
        (void)resume(make(name, level, NULL), &next);
    else if (spins)
        spin();
    else
        stop();
    return input;
}

static void scene_deep(void)
{
    int depth = 1;

    (void)resume(make("level1", level, NULL), &depth);
}

/* --- on the host's stack ------------------------------------------------- */

static void *service(void *argument)
{
    stop();
    return argument;
}

static void *caller(moat_co *self, void *input)
{
    return moat_call_on_parent(self, service, input);
}

static void scene_call(void)
{
    (void)resume(make("caller", caller, NULL), NULL);
}

int main(int argc, char **argv)
{
    const char *scene = argc > 1 ? argv[1] : "";

    if (strcmp(scene, "states") == 0) {
        scene_states();
    } else if (strcmp(scene, "trapped") == 0) {
        scene_trapped();
    } else if (strcmp(scene, "lost") == 0) {
        scene_lost();
    } else if (strcmp(scene, "many") == 0) {
        scene_many();
    } else if (strcmp(scene, "deep") == 0) {
        scene_deep();
    } else if (strcmp(scene, "call") == 0) {
        scene_call();
    } else if (strcmp(scene, "spin") == 0) {
        spins = true;
        scene_deep();
    } else {
        fprintf(stderr, "usage: scenes SCENE\n");
        return 2;
    }
    return 0;
}
