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

/* The calls that the kernel must dispatch while `running` runs are those that
 * its policy, or that of a guest which waits for it, is for. If nothing has
 * ended that and no other guest has changed it, this only compares. It fails
 * only if it was forbidden since. */
static inline void moat_filter_keep(struct co *running)
{
    struct co *filtered = moat_filtered_from(running);

    if (filtered != NULL &&
        moat_filter_arm(&moat_calls_of(filtered)->scope) != MOAT_OK)
        abort();
}

/* The thread is about to run `co`, or is back from a guest in it; NULL: the
 * host. Its code has the filter that applies to it. */
static inline void moat_filter_enter(struct co *co)
{
    if (!moat_filter.armed)
        return;
    (void)moat_filter_pause();
    moat_filter_keep(co);
    moat_calls_enter(co);
}

/* The same, but the library's code goes on first: moat_filter_resume_guest. */
static inline void moat_filter_back(struct co *co)
{
    moat_filter_enter(co);
    (void)moat_filter_pause();
}

/* The code of the running guest goes on, unless a section is open, whose end
 * does this. */
static inline void moat_filter_go_on(const struct co *running)
{
    if (running != NULL && running->nointr == 0)
        moat_filter_resume_guest();
}

#endif
