/*
 * heap.h: a heap in a range of memory of its own, free lists and all, so that
 * whoever puts the range back puts the heap back.
 *
 * Not for two threads at once. It checks what it is given: a pointer that is
 * not a block's, a block freed twice, a byte written behind a block.
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

/* NULL: the range is full. `align` is a power of two. `zeroed`: as calloc. */
void *heap_take(struct heap *heap, size_t align, size_t bytes, bool zeroed);

/* A live block whose surroundings are whole? */
bool heap_owns(const struct heap *heap, const void *block);
/* The bytes asked for; the block is one that heap_owns. */
size_t heap_size(const void *block);
/* The block, or where its contents have moved; it is one that heap_owns. NULL:
 * the range is full, and the block as it was. */
void *heap_resize(struct heap *heap, void *block, size_t bytes);
/* The block is one that heap_owns. */
void heap_give(struct heap *heap, void *block);

/* Does the address lie in the heap's range? */
bool heap_has(const struct heap *heap, const void *address);
/* How many bytes of the range have ever been used, from its start. */
size_t heap_used(const struct heap *heap);

/*
 * Frees each live block to which no word in the given ranges points, into its
 * middle or at its start, nor a word in another block that stays.
 */
struct heap_root {
    const uintptr_t *words;
    size_t count;
};
void heap_collect(struct heap *heap, const struct heap_root *roots,
                  size_t count);

#endif
