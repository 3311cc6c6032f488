/*
 * quota.h: the memory of one script: an arena with a bound, freed all at once.
 *
 * The allocator takes no lock and calls nothing but memcpy, so a script may be
 * cut anywhere inside it: whatever state that leaves is unmapped with the
 * arena.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_QUOTA_H
#define HOST_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUOTA_BINS 192

struct quota_block;

struct quota {
    char *arena;  /* the mapping                                  */
    size_t bytes; /* its length: the quota, rounded up to pages   */
    size_t live;  /* bytes in blocks that are in use              */
    size_t peak;  /* the most that `live` ever was                */
    uint64_t filled[QUOTA_BINS / 64]; /* which bins are not empty */
    struct quota_block *bins[QUOTA_BINS];
};

/* Maps the arena; false with errno if the system has no room for it. */
bool quota_open(struct quota *quota, size_t bytes);

/* Unmaps everything that the script ever allocated. */
void quota_close(struct quota *quota);

/* lua_Alloc: `ud` is the struct quota. NULL where the quota is used up; a block
 * never fails to shrink. */
void *quota_realloc(void *ud, void *ptr, size_t old_bytes, size_t new_bytes);

#endif
