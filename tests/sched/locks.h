/*
 * locks.h: a mutex and a condition for a test, and notes of what came first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_LOCKS_H
#define TESTS_SCHED_LOCKS_H

#include <string.h>

#include "sched/scene.h"

static moat_mutex mutex;
static moat_cond cond;
static char order[64];

static inline void note(char letter)
{
    size_t length = strlen(order);

    REQUIRE(length + 1 < sizeof order);
    order[length] = letter;
}

static inline void begin(void)
{
    EXPECT_EQ(moat_mutex_init(&mutex), MOAT_OK);
    EXPECT_EQ(moat_cond_init(&cond), MOAT_OK);
}

static inline void end(void)
{
    moat_cond_destroy(&cond);
    moat_mutex_destroy(&mutex);
}

/* Runs a test body as the first task, with the objects. */
static inline void in_a_task(moat_task_fn fn)
{
    begin();
    (void)run(fn);
    end();
}

/* Lets all others run until they wait. */
static inline void let_run(void)
{
    for (int i = 0; i < 4; i++)
        moat_task_yield();
}

/* For faults. */
static __attribute__((unused)) volatile int *nowhere;

#endif
