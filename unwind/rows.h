/*
 * rows.h: the rows of the code in loaded files, cached.
 *
 * Async-signal-safe: no lock, no heap, no system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_ROWS_H
#define MOAT_UNWIND_ROWS_H

#include "unwind/objects.h"
#include "unwind/row.h"

/* Finds the row of `pc` in the cache, or makes it and keeps it there. False:
 * there is none. */
bool moat_rows_find(const struct moat_object *object, uintptr_t pc,
                    struct moat_row *out);

/* After a guest was stopped that may have been keeping a row: the slot of the
 * cache may be written again. */
void moat_rows_landed(void);

#endif
