/*
 * lock_search.h: functions on a dead stack that may hold a lock of the
 * process's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_LOCK_SEARCH_H
#define MOAT_TRACE_LOCK_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/backtrace.h>

/* A search along the frames of a trapped coroutine. Zeros: begun. */
struct moat_lock_search {
    uintptr_t pc;      /* in the frame before; 0: there was none             */
    const char *found; /* the function's name; NULL: none so far             */
};

/* Looks at the next frame, outwards. Returns whether the search goes on. */
bool moat_lock_search_see(struct moat_lock_search *search,
                          const moat_frame *frame);

/* Returns whether any search of this process has found a function so far. Then
 * the heap, stdio and the dynamic linker must not be used for reports: their
 * locks may never be released. */
bool moat_poison_seen(void);

#endif
