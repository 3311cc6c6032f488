/*
 * tail.c: what lies behind the bytes that were asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/tail.h"

#include <string.h>

#define WORD     sizeof(uint64_t)
#define AT_LEAST (2 * WORD)

/* Of the word, the bits that are the number of bytes. */
#define NUMBER ((uint64_t)0xffff)

static uint64_t word_of(const moat_heap *heap, size_t bytes)
{
    return (~heap->mark & ~NUMBER) | bytes;
}

static uint64_t load(const void *block, size_t offset)
{
    uint64_t word;

    memcpy(&word, (const char *)block + offset, WORD);
    return word;
}

static void store(void *block, size_t offset, uint64_t word)
{
    memcpy((char *)block + offset, &word, WORD);
}

/* Without room for both words the last one must not be one that another block
 * has left there. */
void moat_tail_make(const moat_heap *heap, void *block, size_t has,
                    size_t bytes)
{
    uint64_t word = has - bytes >= AT_LEAST ? word_of(heap, bytes) : 0;

    store(block, has - WORD, word);
    if (word != 0)
        store(block, bytes, word);
}

/* Returns the last word if it is one of these, or 0. */
static uint64_t last_word(const moat_heap *heap, const void *block, size_t has)
{
    uint64_t word = load(block, has - WORD);
    size_t bytes = word & NUMBER;

    return word == word_of(heap, bytes) && bytes + AT_LEAST <= has ? word : 0;
}

size_t moat_tail_read(const moat_heap *heap, const void *block, size_t has)
{
    uint64_t word = last_word(heap, block, has);

    return word != 0 ? word & NUMBER : has;
}

size_t moat_tail_check(moat_heap *heap, const void *block, size_t has)
{
    uint64_t word = last_word(heap, block, has);

    if (word == 0)
        return has;
    if (MOAT_UNLIKELY(load(block, word & NUMBER) != word))
        moat_heap_misused(heap, MOAT_MISUSE_OVERRUN);
    return word & NUMBER;
}

/* Without a word so far the last bytes are the guest's, unless it does without
 * them from now on. */
void moat_tail_move(const moat_heap *heap, void *block, size_t has,
                    size_t could, size_t bytes)
{
    if (could != has || has - bytes >= AT_LEAST)
        moat_tail_make(heap, block, has, bytes);
}
