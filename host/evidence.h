/*
 * evidence.h: the report and the core file of a trapped script.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_EVIDENCE_H
#define HOST_EVIDENCE_H

#include <stdbool.h>

#include <moat/co.h>

#include "options.h"
#include "script.h"

/* Opens the directory of --core-dir. It must belong to the user and be writable
 * by no other. On failure it writes the reason to stderr. */
bool evidence_open(struct run_options *options);

/* Stores the report of a script's trapped coroutine in the result, as text or
 * as JSON, and writes its core file if the options ask for one. */
void evidence_take(const struct run_options *options, const moat_co *co,
                   struct result *result);

#endif
