/*
 * meter.c: how many pages a heap has in use, and for how long.
 *
 * The words lie in the heap, where a guest may have written anything: a result
 * may be wrong then, but is computed without a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/meter.h"

#include "heap/heap.h"
#include "heap/region.h"
#include "sys/clock.h"

#define US_NS 1000u
#define MS_US 1000u

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t us_since(uint64_t at)
{
    uint64_t now = moat_clock_ns();

    return now != MOAT_CLOCK_END && now > at ? (now - at) / US_NS : 0;
}

/* The rest of a microsecond counts with what comes next. */
void moat_heap_meter_add(moat_heap *heap)
{
    uint64_t us = us_since(heap->metered_at);

    heap->page_us = plus(heap->page_us, times(heap->in_use, us));
    heap->metered_at += us * US_NS;
}

struct moat_heap_reading moat_heap_meter_start(moat_heap *heap)
{
    if (!moat_heap_region_intact(heap))
        return (struct moat_heap_reading){0, 0};
    if (heap->metered_at != 0)
        moat_heap_meter_add(heap);
    else
        heap->metered_at = heap->meter = moat_clock_ns();
    return (struct moat_heap_reading){heap->meter, heap->page_us};
}

uint64_t moat_heap_meter_since(const moat_heap *heap,
                               struct moat_heap_reading reading)
{
    uint64_t page_us;

    if (!moat_heap_region_intact(heap) || heap->metered_at == 0)
        return 0;
    page_us =
        plus(heap->page_us, times(heap->in_use, us_since(heap->metered_at)));
    if (heap->meter == reading.meter && page_us >= reading.page_us)
        page_us -= reading.page_us;
    return plus(times(page_us / MS_US, MOAT_HEAP_PAGE),
                page_us % MS_US * MOAT_HEAP_PAGE / MS_US);
}
