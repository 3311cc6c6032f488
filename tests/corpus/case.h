/*
 * case.h: the case that a worker hosts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_CASE_H
#define CORPUS_CASE_H

#include <moat/moat.h>

#include "job.h"

/* Loads the case, unless it is linked into the program, and sets it up. Returns
 * the handle of the object that contains it. */
void *case_load(const char *path, const struct case_functions *linked);

/* The entry function of the guest: runs the case, `input` bytes further down,
 * and returns its result. */
void *case_enter(moat_co *self, void *input);

/* Returns the input for a repetition: it moves the first frame within 8 KiB. */
void *case_phase(unsigned repetition, unsigned phases);

void case_teardown(void);

#endif
