/*
 * handed.c: five coroutines deep, where the third was entered by a transfer;
 * the innermost stops, as in scenes.c.
 *
 *   handed [spin]   spin: it works instead, for profilers
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/frame.h"

#define DEEP   5
#define HANDED 3

static bool spins;

FRAME static void stop(void)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
    KEEP_FRAME();
}

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

static moat_co *make(const char *name, moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.name = name;
    options.stack_bytes = (size_t)64 << 10;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        exit(2);
    return co;
}

FRAME static void resume(moat_co *co, void *input)
{
    moat_event event;

    if (moat_co_resume(co, input, &event) != MOAT_OK)
        exit(3);
}

static void *level(moat_co *self, void *input);

static void *taker(moat_co *self, void *input)
{
    input = moat_co_yield(self, input);
    return level(self, input);
}

FRAME static void hand_over(moat_co *self, void *value)
{
    moat_co *other = make("taker", taker);
    void *input;

    resume(other, NULL);
    if (moat_co_switch_to(self, other, value, &input) != MOAT_OK)
        exit(4);
    KEEP_FRAME();
}

static void *giver(moat_co *self, void *input)
{
    hand_over(self, input);
    return input;
}

static void *level(moat_co *self, void *input)
{
    int depth = *(int *)input;
    int next = depth + 1;
    char name[16];

    (void)self;
    (void)snprintf(name, sizeof name, "level%d", next);
    if (next == HANDED)
        resume(make("giver", giver), &next);
    else if (depth < DEEP)
        resume(make(name, level), &next);
    else if (spins)
        spin();
    else
        stop();
    return input;
}

int main(int argc, char **argv)
{
    int depth = 1;

    (void)argv;
    spins = argc > 1;
    resume(make("level1", level), &depth);
    return 0;
}
