/*
 * generators.h: bodies of generators for the tests, and short ways to use them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_GENERATORS_H
#define TESTS_SCHED_GENERATORS_H

#include <moat/gen.h>

#include "support/fixture.h"

/* How many bodies' cleanup code has run, on this thread. */
static _Thread_local int cleaned;

static inline void clean(const int *unused)
{
    (void)unused;
    cleaned++;
}

#define CLEANED __attribute__((cleanup(clean), unused)) int cleaned_here = 0

/* Yields the numbers from 1 to the one that `arg` points to. */
static inline void count(moat_gen *gen, void *arg)
{
    CLEANED;

    for (intptr_t i = 1; i <= *(const intptr_t *)arg; i++)
        moat_gen_yield(gen, (void *)i);
}

static inline void forever(moat_gen *gen, void *arg)
{
    CLEANED;

    (void)arg;
    for (intptr_t i = 1;; i++)
        moat_gen_yield(gen, (void *)i);
}

static inline moat_gen *make_with(moat_gen_body body, void *arg,
                                  const moat_co_options *options)
{
    moat_gen *gen = NULL;

    REQUIRE(moat_gen_create(&gen, body, arg, options) == MOAT_OK);
    REQUIRE(gen != NULL);
    return gen;
}

static inline moat_gen *make(moat_gen_body body, void *arg)
{
    return make_with(body, arg, NULL);
}

/* Returns the next item; -1: there is none. */
static inline intptr_t next(moat_gen *gen)
{
    void *item = NULL;

    return moat_gen_next(gen, &item) ? (intptr_t)item : -1;
}

/* Returns the sum of the items that are left. */
static inline intptr_t sum_of(moat_gen *gen)
{
    intptr_t sum = 0;

    MOAT_FOR_EACH(item, gen)
    sum += (intptr_t)item;
    return sum;
}

/* Returns the trap record of a body. */
static inline moat_trap_info trap_of(const moat_gen *gen)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    REQUIRE(moat_co_trap_info(moat_gen_co(gen), &info) == MOAT_OK);
    return info;
}

#endif
