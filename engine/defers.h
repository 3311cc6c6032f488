/*
 * defers.h: the functions registered by moat_co_defer, and which coroutine is
 * ending which.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_DEFERS_H
#define MOAT_ENGINE_DEFERS_H

#include <moat/roots.h>

#include "trap/coroutine.h"

/* Ends a stopped coroutine: it is DONE or TRAPPED from here on, and its
 * deferred functions run, the last registered first. */
void moat_defers_run(struct co *co);

/* Visits their arguments. Signal-safe: yes. */
void moat_defers_visit(const struct co *co, moat_root_visit visit, void *arg);

/* Returns whether they are running. While they do, the coroutine can be neither
 * reset nor destroyed. */
bool moat_is_ending(struct co *co);

/* Returns the coroutine that `by` began to end last and has not ended yet;
 * NULL: none. */
struct co *moat_ending_innermost(const struct co *by);

/* `by` will not continue with the coroutines it is ending, except `down_to` and
 * those it began before. */
void moat_ending_drop(struct co *by, const struct co *down_to);

#endif
