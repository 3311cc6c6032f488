/*
 * meter.h: how many pages a heap has in use, and for how long.
 *
 * The count of pages changes in span.c alone, which adds what was in use until
 * then. A heap without a meter pays one compare for that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_METER_H
#define MOAT_HEAP_METER_H

#include <stdint.h>

#include <moat/heap.h>

/* Where a meter stood. A heap that has been cleared or reset since then has
 * another meter, or none. */
struct moat_heap_reading {
    uint64_t meter;   /* when the meter was started; 0: none */
    uint64_t page_us; /* pages times microseconds            */
};

/* Starts the heap's meter, unless it runs, and reads it. */
struct moat_heap_reading moat_heap_meter_start(moat_heap *heap);

/* Returns bytes times milliseconds since a reading, up to now. */
uint64_t moat_heap_meter_since(const moat_heap *heap,
                               struct moat_heap_reading reading);

/* Adds what was in use up to now. */
void moat_heap_meter_add(moat_heap *heap);

#endif
