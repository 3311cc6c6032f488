/*
 * row.h: what the files of moat's own stepper share: from a pc to the rules by
 * which a frame leads to its caller's.
 *
 *   objects.c     the loaded file of a pc, and the entry of its .eh_frame
 *   row.c         an entry's program, run up to a pc: a row
 *   rows.c        rows that were made before
 *   expression.c  values that a row has an expression for
 *   cursor.c      a row applied to registers
 *
 * All of it is async-signal-safe: no lock, no heap, and no system call. What is
 * read of a file is checked against the bounds of its segment, and what is read
 * of a stack goes through moat_arch_peek.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_ROW_H
#define MOAT_UNWIND_ROW_H

#include "unwind/unwind.h"

/* --- rows --------------------------------------------------------------- */

enum moat_rule_kind {
    MOAT_RULE_SAME,
    MOAT_RULE_UNDEFINED,
    MOAT_RULE_OFFSET,     /* saved at the CFA plus value                  */
    MOAT_RULE_VAL_OFFSET, /* is the CFA plus value                        */
    MOAT_RULE_REGISTER,   /* is in the register `value`                   */
    MOAT_RULE_EXPRESSION, /* saved where the expression at base + value says */
    MOAT_RULE_VAL_EXPRESSION /* is what it says                              */
};

struct moat_rule {
    enum moat_rule_kind kind;
    int32_t value;
};

/* How a frame leads to its caller's. */
struct moat_row {
    const unsigned char *base; /* the entry: expressions are told from here */
    const unsigned char *end;  /* behind what may be read                   */
    struct moat_rule cfa;      /* VAL_OFFSET: cfa_register plus value; or
                                  VAL_EXPRESSION                                 */
    unsigned cfa_register;
    bool signal_frame; /* the caller's pc is no return address            */
    bool plain;        /* no rule asks for a register but the CFA's       */
    uint32_t set;      /* bits: which rules are other than SAME; no other is
                          written                                         */
    struct moat_rule rules[MOAT_ARCH_DWARF_REGISTERS];
};

/* Runs the entry at `fde` up to `pc`. False: not understood, or pc is not in
 * it. */
bool moat_row_make(const struct moat_span *bytes, const unsigned char *fde,
                   uintptr_t pc, struct moat_row *out);

/* Looks the entry up first, one after the other. */
bool moat_row_find(const struct moat_span *bytes, uintptr_t pc,
                   struct moat_row *out);

/* The code that the entry at `fde` is of. */
bool moat_row_bounds(const struct moat_span *bytes, const unsigned char *fde,
                     uintptr_t *start, uintptr_t *end);

/* A number that tells the entry at `fde`, with the common one that it refers
 * to, from others that may have been there before. False: there is none. */
bool moat_row_fingerprint(const struct moat_span *bytes,
                          const unsigned char *fde, uint64_t *out);

/* --- objects.c ---------------------------------------------------------- */

/* False: none, or it has no .eh_frame_hdr. */
bool moat_object_find(uintptr_t pc, struct moat_object *out);

/* A number, not 0, that tells the file of pc from all others: of where it is
 * mapped and its build ID. False: none is known. */
bool moat_object_identity(uintptr_t pc, uint64_t *out);

/* The entry that may cover pc; NULL: none does. */
const unsigned char *moat_object_fde(const struct moat_object *object,
                                     uintptr_t pc);

/* --- rows.c ------------------------------------------------------------- */

/* The row of `pc`, from those made before, or made now and kept. */
bool moat_rows_find(const struct moat_object *object, uintptr_t pc,
                    struct moat_row *out);

/* --- expression.c ------------------------------------------------------- */

/* The expression at `base + value` of a row, with `first` on its stack unless
 * that is NULL. */
bool moat_expression_value(const struct moat_row *row, int32_t value,
                           const struct moat_cursor *cursor,
                           const uintptr_t *first, uintptr_t *out);

/* --- cursor.c ----------------------------------------------------------- */

/* A register of the frame that the cursor is at. False: not known. */
bool moat_cursor_register(const struct moat_cursor *cursor, unsigned number,
                          uintptr_t *out);

#endif
