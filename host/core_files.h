/*
 * core_files.h: --core-dir: a core file for each script that is trapped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_CORE_FILES_H
#define HOST_CORE_FILES_H

#include <stdbool.h>

#include <moat/co.h>

#include "options.h"
#include "script.h"

/* Opens the folder of --core-dir. It must belong to the user, and nobody else
 * may write to it. Says on stderr why not. */
bool core_files_open(struct run_options *options);

/* Writes the core of a script's trapped coroutine, if it is wanted; the result
 * tells its path, or why there is none. */
void core_files_write(const struct run_options *options, const moat_co *co,
                      struct result *result);

#endif
