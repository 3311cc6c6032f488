/*
 * arena.h: memory that a script's host gives it and takes back as a whole:
 * blocks side by side, none ever freed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_ARENA_H
#define CORPUS_ARENA_H

#include <sys/mman.h>

#include "hcase.h"

#define ARENA_BYTES ((size_t)64 << 20)

static char *arena;
static size_t arena_used;

/* Makes it, or takes back all that was given. */
static inline int arena_reset(void)
{
    arena_used = 0;
    if (arena != NULL)
        return 0;
    arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return arena == MAP_FAILED;
}

/* Each block has its size in front of it. */
static inline void *arena_take(size_t bytes)
{
    size_t room = (bytes + 31) & ~(size_t)15;
    char *block = arena + arena_used + 16;

    if (room > ARENA_BYTES - arena_used)
        return NULL;
    arena_used += room;
    memcpy(block - 16, &bytes, sizeof bytes);
    return block;
}

static inline void *arena_resize(void *block, size_t bytes)
{
    size_t old;
    void *moved;

    if (block == NULL)
        return bytes != 0 ? arena_take(bytes) : NULL;
    if (bytes == 0)
        return NULL;
    memcpy(&old, (char *)block - 16, sizeof old);
    if (bytes <= old)
        return block;
    moved = arena_take(bytes);
    if (moved != NULL)
        memcpy(moved, block, old);
    return moved;
}

#endif
