/*
 * steps.h: stops a task at one instruction after another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_STEPS_H
#define TESTS_SCHED_STEPS_H

#include <signal.h>
#include <stdlib.h>

#include "sched/scene.h"

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_STEPS "the sanitizer's code would be stepped through"
#else
#    define NEEDS_STEPS NULL
#endif

/* Where each try takes long, those of so many seconds have to do. */
#define STEPS_SECONDS 60

static moat_co *volatile stepped;
static long steps, stop_at;
static bool stopped;

/* The victim runs with the trap flag set: this comes after each instruction,
 * also of the worker and of the other tasks, which do not count. */
static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    if (stepped == NULL || moat_co_current() != stepped)
        return;
    if (++steps < stop_at || stop_at == 0 || stopped)
        return;
    /* False in the few instructions in which no coroutine is complete. */
    stopped = moat_trap_handle(signo, info, ucontext);
}

/* Steps through the calling task from here on. */
static inline void begin_steps(void)
{
    stepped = moat_co_current();
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static inline void end_steps(void)
{
    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    stepped = NULL;
}

static inline void prepare_steps(void)
{
    const struct sigaction stepper = {.sa_sigaction = on_step,
                                      .sa_flags = SA_SIGINFO | SA_ONSTACK};

    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(sigaction(SIGTRAP, &stepper, NULL) == 0);
}

/* MOAT_TEST_EVERY: one of so many instructions is tried. */
static inline long distance(void)
{
    const char *text = getenv("MOAT_TEST_EVERY");

    return text != NULL ? strtol(text, NULL, 10) : 397;
}

/* The distance at which all tries take STEPS_SECONDS, if each takes `ns`. */
static inline long affordable(long count, uint64_t ns)
{
    return (long)((uint64_t)count * ns / (STEPS_SECONDS * 1000 * MS));
}

/* Tries one instruction after another of `count`. Returns the stops. */
static inline long stop_everywhere(long count, void (*try_one)(void))
{
    uint64_t begun = moat_now();
    long every = distance(), tries = 0, stops = 0, least;

    stop_at = 0; /* all of it: no try takes longer */
    try_one();
    least = affordable(count, moat_now() - begun);
    every = every > least ? every : least;
    for (stop_at = 1; stop_at < count; stop_at += every) {
        expect_context("stopped at %ld of %ld", stop_at, count);
        try_one();
        tries++;
        stops += stopped;
    }
    EXPECT(stops > tries / 2);
    return stops;
}

#endif
