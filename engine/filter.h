/*
 * filter.h: the filter of system calls around a guest (sys/filter.h).
 *
 * A policy covers the guests inside its guest, too. So the filter is on if any
 * of the running guest and those that wait for it has one. On the inline way in
 * and out of a guest it stays as it is; guests with a policy take the slow
 * one, and so do transfers from and to them.
 *
 * A thread that never had such a guest has nothing to do here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_FILTER_H
#define MOAT_ENGINE_FILTER_H

#include <stdlib.h>

#include "trap/syscalls.h"

/* The thread is about to run `co`, or is back from a guest in it; NULL: the
 * host. Its code has the filter that applies to it. */
static inline void moat_filter_enter(struct co *co)
{
    if (moat_filter.armed)
        moat_calls_enter(co);
}

/* A fork that the library has not seen has ended the filter: the child asks for
 * it anew, which only fails if it was forbidden since. */
static inline void moat_filter_keep(void)
{
    if (moat_filter_arm() != MOAT_OK)
        abort();
}

/* The same, but the library's code goes on first: moat_filter_resume_guest. */
static inline void moat_filter_back(struct co *co)
{
    if (!moat_filter.armed)
        return;
    moat_filter_keep();
    moat_calls_enter(co);
    (void)moat_filter_pause();
}

/* The code of the running guest goes on, unless a section is open, whose end
 * does this. */
static inline void moat_filter_go_on(const struct co *running)
{
    if (running != NULL && running->nointr == 0)
        moat_filter_resume_guest();
}

/* Before a filtered guest is entered: a fork that the library has not seen
 * leaves it without a filter. */
static inline moat_status moat_filter_ready(struct co *co)
{
    return (co->control.flags & CO_FILTERED) != 0 ? moat_filter_arm() : MOAT_OK;
}

#endif
