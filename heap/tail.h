/*
 * tail.h: what lies behind the bytes that were asked for, in blocks of more
 * than MOAT_HEAP_MAX_PLAIN bytes.
 *
 * Where a block has 16 bytes more than that, or above, a word follows the bytes
 * that were asked for, and the block's last word is the same: it tells how many
 * they are. If the first one was overwritten when the block is freed or
 * resized, the guest wrote past the end of its block.
 *
 *   | asked for ......... | word | ........ | word |
 *
 * A last word of anything else is the guest's. For smaller blocks it would cost
 * too much.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HEAP_TAIL_H
#define MOAT_HEAP_TAIL_H

#include "heap/heap.h"

/* Of a block that was just taken. */
void moat_tail_make(const moat_heap *heap, void *block, size_t has,
                    size_t bytes);

/* Returns how many bytes may be used. Ends the guest if more were. */
size_t moat_tail_check(moat_heap *heap, const void *block, size_t has);

/* Of a block that stays where it is, and of which `could` bytes could be used
 * so far. */
void moat_tail_move(const moat_heap *heap, void *block, size_t has,
                    size_t could, size_t bytes);

/* As moat_tail_check, but ends nobody. */
size_t moat_tail_read(const moat_heap *heap, const void *block, size_t has);

#endif
