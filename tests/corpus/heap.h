/*
 * heap.h: a heap in a range of memory of its own that also holds the free
 * lists, so that restoring the range restores the heap.
 *
 * Not thread-safe. It checks its arguments: a pointer that is not a block's, a
 * block freed twice, a byte written after a block.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_HEAP_H
#define CORPUS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap;

/* Makes a heap of the zeroed range at `range`. */
struct heap *heap_make(void *range, size_t bytes);

/* Returns NULL if the range is full. `align` is a power of two. `zeroed`: as
 * calloc. */
void *heap_take(struct heap *heap, size_t align, size_t bytes, bool zeroed);

/* Returns whether `block` is a live block with intact header and fence. */
bool heap_owns(const struct heap *heap, const void *block);
/* Returns the requested size. Requires heap_owns. */
size_t heap_size(const void *block);
/* Returns the block, or its new address after a move; NULL, with the block
 * unchanged, if the range is full. Requires heap_owns. */
void *heap_resize(struct heap *heap, void *block, size_t bytes);
/* Requires heap_owns. */
void heap_give(struct heap *heap, void *block);

/* Returns whether the address lies in the heap's range. */
bool heap_has(const struct heap *heap, const void *address);
/* Returns how many bytes of the range, from its start, have ever been used. */
size_t heap_used(const struct heap *heap);

/*
 * Frees each live block that is unreachable: no word in the given ranges, or in
 * another reachable block, points to its start or into it.
 */
struct heap_root {
    const uintptr_t *words;
    size_t count;
};
void heap_collect(struct heap *heap, const struct heap_root *roots,
                  size_t count);

#endif
