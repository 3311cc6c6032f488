/*
 * expression.h: DWARF expressions, evaluated for a frame.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_EXPRESSION_H
#define MOAT_UNWIND_EXPRESSION_H

#include "unwind/cursor.h"
#include "unwind/row.h"

/* Evaluates the expression at `base + value` of the row for the frame of the
 * cursor, with `first` on the machine's stack unless that is NULL. False: it is
 * not understood, or reads what cannot be read. */
bool moat_expression_value(const struct moat_row *row, int32_t value,
                           const struct moat_cursor *cursor,
                           const uintptr_t *first, uintptr_t *out);

#endif
