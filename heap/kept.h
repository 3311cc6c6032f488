/*
 * kept.h: heaps that have ended, but to which variables may still refer.
 *
 * A library may keep a block in a variable of its own that it took when a guest
 * first called it. If the memory went with that guest, the next guest's call
 * would end in it. So a process that has told where such variables lie
 * (moat_heap_keep) does not drop the memory of an ended heap at once: it waits,
 * with others, for a look at all of those variables. The memory that nothing
 * refers to is dropped then. Some waits at any time, so that a look costs
 * little for each heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_KEPT_H
#define MOAT_HEAP_KEPT_H

#include <stdbool.h>
#include <stddef.h>

struct moat_heap_region;

/* Returns whether moat_heap_keep was called. */
bool moat_kept_is_on(void);

/* Adds a region whose heap has ended: its `kept` is set. May look. */
void moat_kept_add(struct moat_heap_region *region);

/* Drops what nothing refers to. Returns how many regions are left. */
size_t moat_kept_look(void);

/* Around a fork, which waits for the end of a look: a child has not the thread
 * that looks. */
void moat_kept_before_fork(void);
void moat_kept_after_fork(void);

#endif
