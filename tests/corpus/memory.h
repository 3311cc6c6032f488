/*
 * memory.h: whose memory is whose in a host that runs C libraries as guests.
 *
 * The program's malloc family is replaced. What it does depends on who calls:
 *
 *   the host                       the C library's heap, as ever
 *   a guest, or its set-up         the guest's heap, which is put back as it
 * was after each run: nothing in it can leak, dangle or stay broken the C
 * library, on a guest's    the lent heap, by moat_call_on_parent: what stack
 * the C library still refers to after the run stays, the rest is freed
 *
 * So no guest dies inside an allocator that others need.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_MEMORY_H
#define CORPUS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the two heaps; before anything of a guest's is loaded. False: no
 * memory; errno says why. */
bool memory_open(void);

/* From true to false the calling thread works for the guest: it loads it, sets
 * it up. */
void memory_prepare(bool preparing);

/* The guest's heap as it is now is what memory_restore puts back. False: no
 * memory; errno says why. */
bool memory_keep(void);

/* The guest's heap as it was kept; of the lent heap, what the C library's
 * writable memory does not refer to is freed. In ordinary context, between two
 * runs. */
void memory_restore(void);

/* Has the current run aborted because it misused a heap? Reset by
 * memory_restore. */
bool memory_was_misused(void);

#endif
