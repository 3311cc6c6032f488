/*
 * residue.h: what a run leaves behind outside its memory, and who takes it
 * back.
 *
 * Taken back: mappings, thread-specific keys and their values, descriptors, the
 * signal mask. What cannot be is named, and the host is to be replaced: open
 * streams, threads, loaded libraries, signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_RESIDUE_H
#define CORPUS_RESIDUE_H

/* Notes how things stand between two runs; once, after the set-up. */
void residue_keep(void);

/* After each run. NULL: all was taken back; else what was not, in a word. */
const char *residue_clear(void);

/* How many descriptors are open. */
int residue_descriptors(void);

#endif
