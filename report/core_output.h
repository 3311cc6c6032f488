/*
 * core_output.h: a core file's bytes, written front to back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_CORE_OUTPUT_H
#define MOAT_REPORT_CORE_OUTPUT_H

#include "report/core.h"

/* Puts bytes after those before; they may wait for a flush. */
void moat_core_put(struct core *core, const void *from, size_t bytes);

/* Puts all parts. */
void moat_core_put_memory(struct core *core);

/* Writes what waits, up to the end of the file. */
void moat_core_finish(struct core *core);

#endif
