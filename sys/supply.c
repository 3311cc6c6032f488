/*
 * supply.c: a list of blocks per thread, oldest first: blocks that were added
 * in the order in which they are needed are found at its front.
 *
 * An attempt that fails loses some of what it took. So the next one gets the
 * same again, and what was missing. A block serves only requests of its own
 * size: if a smaller one could take it, two sizes could be missing in turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/supply.h"

#include <stdlib.h>
#include <string.h>

/* The first words of a block. */
struct block {
    struct block *next;
    size_t bytes;
};

/* An attempt that may lose more than this finds it in the supply. Few: a plugin
 * that is loaded at run time shares some 1.5 KiB of static thread-local memory
 * with all others, and two of them may contain a copy of this library. */
#define MAX_TAKEN 8

static __thread struct {
    struct block *first, *last;
    size_t missing; /* what could not be taken; 0: nothing */
    size_t taken[MAX_TAKEN];
    size_t taken_count; /* of this attempt */
} supply __attribute__((tls_model("initial-exec")));

static size_t block_bytes(size_t bytes)
{
    return bytes < sizeof(struct block) ? sizeof(struct block) : bytes;
}

static void *unlink_block(struct block *before, struct block *block)
{
    if (before != NULL)
        before->next = block->next;
    else
        supply.first = block->next;
    if (supply.last == block)
        supply.last = before;
    return block;
}

void *moat_supply_take(size_t bytes)
{
    struct block *before = NULL, *block = supply.first;

    for (; block != NULL && block->bytes != block_bytes(bytes);
         block = block->next)
        before = block;
    if (block == NULL) {
        supply.missing = bytes;
        return NULL;
    }
    if (supply.taken_count < MAX_TAKEN)
        supply.taken[supply.taken_count++] = bytes;
    return memset(unlink_block(before, block), 0, bytes);
}

void moat_supply_keep(void)
{
    supply.taken_count = 0;
}

bool moat_supply_add(size_t bytes)
{
    struct block *block = malloc(block_bytes(bytes));

    if (block == NULL)
        return false;
    block->next = NULL;
    block->bytes = block_bytes(bytes);
    if (supply.last != NULL)
        supply.last->next = block;
    else
        supply.first = block;
    supply.last = block;
    return true;
}

static void drop_rest(void)
{
    while (supply.first != NULL)
        free(unlink_block(NULL, supply.first));
}

static bool add_all(void)
{
    bool added = moat_supply_add(supply.missing);

    for (size_t i = 0; added && i < supply.taken_count; i++)
        added = moat_supply_add(supply.taken[i]);
    return added;
}

bool moat_supply_fill(moat_status attempt)
{
    bool filled = attempt == MOAT_E_NOMEM && supply.missing != 0 && add_all();

    supply.missing = supply.taken_count = 0;
    if (!filled)
        drop_rest();
    return filled;
}
