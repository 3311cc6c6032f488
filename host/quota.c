/*
 * quota.c: a bounded arena with segregated free lists and immediate merging.
 *
 * A block is a header word (its size, a multiple of 16, and two flags) and the
 * payload behind it. A free block keeps its list links in the payload and its
 * size once more in its last word, where the block after it finds it: that
 * block has PREV_FREE set. Blocks start 8 bytes off a multiple of 16, so
 * payloads are aligned for any type.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quota.h"

#include <string.h>
#include <sys/mman.h>

#define FREE        ((size_t)1)
#define PREV_FREE   ((size_t)2)
#define FLAGS       ((size_t)15)
#define HEADER      sizeof(size_t)
#define LEAST_BLOCK ((size_t)32)
#define EXACT_BINS  64u /* below 1 KiB every size has its bin */

struct quota_block {
    size_t head;
    struct quota_block *next; /* from here on only while it is free */
    struct quota_block *prev;
};

static size_t size_of(const struct quota_block *block)
{
    return block->head & ~FLAGS;
}

static struct quota_block *at(struct quota_block *block, size_t offset)
{
    return (struct quota_block *)(void *)((char *)block + offset);
}

static struct quota_block *block_of(void *payload)
{
    return (struct quota_block *)(void *)((char *)payload - HEADER);
}

static void *payload_of(struct quota_block *block)
{
    return (char *)block + HEADER;
}

static size_t *footer_of(struct quota_block *block)
{
    return (size_t *)(void *)((char *)block + size_of(block) - HEADER);
}

/* The bin that a block of this size lies in: exact below 1 KiB, then four bins
 * to each power of two. */
static unsigned bin_of(size_t size)
{
    unsigned log;

    if (size / 16 < EXACT_BINS)
        return (unsigned)(size / 16);
    log = 63u - (unsigned)__builtin_clzl(size);
    return EXACT_BINS + (log - 10) * 4 + (unsigned)((size >> (log - 2)) & 3);
}

static void insert(struct quota *quota, struct quota_block *block)
{
    unsigned bin = bin_of(size_of(block));

    block->head |= FREE;
    *footer_of(block) = size_of(block);
    at(block, size_of(block))->head |= PREV_FREE;
    block->prev = NULL;
    block->next = quota->bins[bin];
    if (block->next != NULL)
        block->next->prev = block;
    quota->bins[bin] = block;
    quota->filled[bin / 64] |= (uint64_t)1 << (bin % 64);
}

static void take_out(struct quota *quota, struct quota_block *block)
{
    unsigned bin = bin_of(size_of(block));

    if (block->next != NULL)
        block->next->prev = block->prev;
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        quota->bins[bin] = block->next;
    if (quota->bins[bin] == NULL)
        quota->filled[bin / 64] &= ~((uint64_t)1 << (bin % 64));
    block->head &= ~FREE;
    at(block, size_of(block))->head &= ~PREV_FREE;
}

static struct quota_block *first_filled(const struct quota *quota, unsigned bin)
{
    unsigned word = bin / 64;
    uint64_t bits;

    if (bin >= QUOTA_BINS)
        return NULL;
    bits = quota->filled[word] & (~(uint64_t)0 << (bin % 64));
    while (bits == 0) {
        if (++word == QUOTA_BINS / 64)
            return NULL;
        bits = quota->filled[word];
    }
    return quota->bins[word * 64 + (unsigned)__builtin_ctzl(bits)];
}

/* A free block of at least this size: any block of a higher bin fits; in the
 * size's own bin some may be smaller. */
static struct quota_block *find(const struct quota *quota, size_t size)
{
    struct quota_block *block = quota->bins[bin_of(size)];

    while (block != NULL && size_of(block) < size)
        block = block->next;
    return block != NULL ? block : first_filled(quota, bin_of(size) + 1);
}

/* Cuts a block in use down to `size`; the rest becomes free, together with the
 * free block that may follow. */
static void trim(struct quota *quota, struct quota_block *block, size_t size)
{
    size_t rest = size_of(block) - size;
    struct quota_block *tail = at(block, size);
    struct quota_block *after = at(block, size_of(block));

    if (rest < LEAST_BLOCK)
        return;
    if (after->head & FREE) {
        take_out(quota, after);
        rest += size_of(after);
    }
    block->head = size | (block->head & FLAGS);
    tail->head = rest;
    insert(quota, tail);
}

static size_t needed(size_t bytes)
{
    size_t size = (bytes + HEADER + 15) & ~(size_t)15;

    return size < LEAST_BLOCK ? LEAST_BLOCK : size;
}

static void count(struct quota *quota, size_t more, size_t less)
{
    quota->live = quota->live + more - less;
    if (quota->live > quota->peak)
        quota->peak = quota->live;
}

static void *allocate(struct quota *quota, size_t bytes)
{
    struct quota_block *block;

    if (bytes >= quota->bytes)
        return NULL;
    block = find(quota, needed(bytes));
    if (block == NULL)
        return NULL;
    take_out(quota, block);
    trim(quota, block, needed(bytes));
    count(quota, size_of(block), 0);
    return payload_of(block);
}

static void release(struct quota *quota, struct quota_block *block)
{
    struct quota_block *after = at(block, size_of(block));

    count(quota, 0, size_of(block));
    if (after->head & FREE) {
        take_out(quota, after);
        block->head += size_of(after);
    }
    if (block->head & PREV_FREE) {
        size_t size = size_of(block);
        size_t before = *(size_t *)(void *)((char *)block - HEADER);

        block = (struct quota_block *)(void *)((char *)block - before);
        take_out(quota, block);
        block->head += size;
    }
    insert(quota, block);
}

/* Grows a block into the free one behind it. */
static bool grow(struct quota *quota, struct quota_block *block, size_t size)
{
    struct quota_block *after = at(block, size_of(block));
    size_t had = size_of(block);

    if (!(after->head & FREE) || had + size_of(after) < size)
        return false;
    take_out(quota, after);
    block->head += size_of(after);
    trim(quota, block, size);
    count(quota, size_of(block), had);
    return true;
}

static void *resize(struct quota *quota, void *ptr, size_t old_bytes,
                    size_t new_bytes)
{
    struct quota_block *block = block_of(ptr);
    size_t had = size_of(block);
    void *copy;

    if (new_bytes >= quota->bytes)
        return NULL;
    if (needed(new_bytes) <= had) {
        trim(quota, block, needed(new_bytes));
        count(quota, size_of(block), had);
        return ptr;
    }
    if (grow(quota, block, needed(new_bytes)))
        return ptr;
    copy = allocate(quota, new_bytes);
    if (copy == NULL)
        return NULL;
    memcpy(copy, ptr, old_bytes);
    release(quota, block);
    return copy;
}

void *quota_realloc(void *ud, void *ptr, size_t old_bytes, size_t new_bytes)
{
    struct quota *quota = ud;

    if (ptr == NULL)
        return new_bytes == 0 ? NULL : allocate(quota, new_bytes);
    if (new_bytes != 0)
        return resize(quota, ptr, old_bytes, new_bytes);
    release(quota, block_of(ptr));
    return NULL;
}

bool quota_open(struct quota *quota, size_t bytes)
{
    struct quota_block *whole;

    memset(quota, 0, sizeof(*quota));
    bytes = (bytes + 4095) & ~(size_t)4095;
    quota->arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (quota->arena == MAP_FAILED) {
        quota->arena = NULL;
        return false;
    }
    quota->bytes = bytes;
    /* One free block, between 8 bytes of padding and a header that ends the
     * arena and is never free. */
    whole = (struct quota_block *)(void *)(quota->arena + HEADER);
    whole->head = bytes - 2 * HEADER;
    at(whole, size_of(whole))->head = 0;
    insert(quota, whole);
    return true;
}

void quota_close(struct quota *quota)
{
    if (quota->arena != NULL)
        munmap(quota->arena, quota->bytes);
    quota->arena = NULL;
}
