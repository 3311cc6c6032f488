/*
 * residue.h: releases the resources other than memory that a run leaves.
 *
 * Released: mappings, thread-specific keys and their values, descriptors; the
 * signal mask is restored. Anything else is named, and the host has to be
 * replaced: open streams, threads, loaded libraries, signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_RESIDUE_H
#define CORPUS_RESIDUE_H

/* Records the state between two runs; called once, after the set-up. */
void residue_keep(void);

/* Called after each run. Returns NULL if everything was released, otherwise the
 * name of the first thing that was not. */
const char *residue_clear(void);

#endif
