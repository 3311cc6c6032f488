/*
 * chunk.h: whether a pointer may be a block of the C library's.
 *
 * glibc ends the process for a bad pointer, in some cases while it holds its
 * lock. A guest must not end its host that way, so its pointers are checked
 * first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_CHUNK_H
#define MOAT_MALLOC_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The word before a block: its size with that of the header, and flags: the
 * block before it is in use; it is a mapping of its own. */
#define MOAT_CHUNK_HEADER  ((uintptr_t)16)
#define MOAT_CHUNK_MIN     ((size_t)32)
#define MOAT_CHUNK_IN_USE  ((size_t)1)
#define MOAT_CHUNK_MAPPED  ((size_t)2)
#define MOAT_CHUNK_FLAGS   ((size_t)7)
#define MOAT_CHUNK_ALIGNED ((uintptr_t)15)

static inline size_t moat_chunk_word(uintptr_t block)
{
    size_t word;

    memcpy(&word, (const void *)(block - sizeof word), sizeof word);
    return word;
}

/* Reads the words around the block: a pointer to nowhere faults here, on the
 * guest's stack and under no lock. */
static inline bool moat_chunk_is_plausible(const void *pointer)
{
    uintptr_t block = (uintptr_t)pointer;
    size_t word, bytes;

    if ((block & MOAT_CHUNK_ALIGNED) != 0)
        return false;
    word = moat_chunk_word(block);
    bytes = word & ~MOAT_CHUNK_FLAGS;
    if (bytes < MOAT_CHUNK_MIN || (bytes & MOAT_CHUNK_ALIGNED) != 0 ||
        block - MOAT_CHUNK_HEADER > -bytes)
        return false;
    if ((word & MOAT_CHUNK_MAPPED) != 0)
        return true;
    word = moat_chunk_word(block + bytes);
    return (word & MOAT_CHUNK_IN_USE) != 0 &&
           (word & ~MOAT_CHUNK_FLAGS) > MOAT_CHUNK_HEADER;
}

#endif
