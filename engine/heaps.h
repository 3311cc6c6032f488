/*
 * heaps.h: the heap of a coroutine: its own, by limits.memory_bytes, or one of
 * the host's, by options.heap.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_HEAPS_H
#define MOAT_ENGINE_HEAPS_H

#include <stdbool.h>

#include "engine/coroutine.h"

/* MOAT_E_INVAL: both are asked for, it is no heap, or the quota is out of
 * range. */
moat_status moat_co_heap_check(const moat_heap *heap, uint64_t memory_bytes);

/* Makes a heap, if a quota was asked for. */
moat_status moat_co_heap_make(uint64_t memory_bytes, moat_heap **heap);

/* Gives the coroutine a heap; NULL: none. If it is its own, `memory_bytes` is
 * the limit that it was made for. */
void moat_co_heap_set(struct co *co, moat_heap *heap,
                      enum moat_heap_owner owner, uint64_t memory_bytes);

/* Empties the heap that the coroutine owns, or ends it. One that the host has
 * taken over is replaced, or forgotten. */
moat_status moat_co_heap_reset(struct co *co);
void moat_co_heap_end(struct co *co);

/* Begins to count how long memory is in use, for a coroutine that is accounted.
 */
void moat_co_heap_meter(struct co *co);

#endif
