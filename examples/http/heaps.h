/*
 * heaps.h: the heaps that handlers borrow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_HEAPS_H
#define EXAMPLES_HTTP_HEAPS_H

#include <moat/moat.h>

/* An empty heap; NULL: there is no memory. */
moat_heap *heap_take(void);
/* Takes a heap back, in whatever state. NULL: no effect. */
void heap_give(moat_heap *heap);
/* Frees those that wait. */
void heaps_free(void);

#endif
