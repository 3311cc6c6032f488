/*
 * heaps.c: the heaps that handlers borrow. Making one takes system calls and
 * page faults; so they are cleared and used again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heaps.h"

#define QUOTA    ((size_t)4 << 20)
#define MAX_IDLE 32

/* Clearing more than that takes longer than the page faults of a new one. */
#define KEEP_BYTES ((size_t)256 << 10)

static moat_heap *idle[MAX_IDLE];
static size_t idle_count;

moat_heap *heap_take(void)
{
    moat_heap *heap = NULL;

    if (idle_count > 0)
        return idle[--idle_count];
    return moat_heap_create(&heap, QUOTA) == MOAT_OK ? heap : NULL;
}

void heap_give(moat_heap *heap)
{
    if (heap == NULL)
        return;
    if (idle_count < MAX_IDLE && moat_heap_clear(heap, KEEP_BYTES) == MOAT_OK)
        idle[idle_count++] = heap;
    else
        moat_heap_destroy(heap);
}

void heaps_free(void)
{
    while (idle_count > 0)
        moat_heap_destroy(idle[--idle_count]);
}
