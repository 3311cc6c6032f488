/*
 * row.h: how a frame leads to its caller's at one pc: a row of call frame
 * information.
 *
 * Async-signal-safe: no lock, no heap, no system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_ROW_H
#define MOAT_UNWIND_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "unwind/reader.h"

/* Where the caller's value of a register is found. From VAL_OFFSET on it is
 * saved nowhere. */
enum moat_rule_kind {
    MOAT_RULE_SAME,       /* in the register itself                         */
    MOAT_RULE_UNDEFINED,  /* nowhere                                        */
    MOAT_RULE_OFFSET,     /* in memory at the CFA plus value                */
    MOAT_RULE_EXPRESSION, /* in memory at the value of the expression at
                             base + value                                   */
    MOAT_RULE_VAL_OFFSET, /* it is the CFA plus value                       */
    MOAT_RULE_REGISTER,   /* in the register number `value`                 */
    MOAT_RULE_VAL_EXPRESSION /* it is the value of that expression          */
};

struct moat_rule {
    enum moat_rule_kind kind;
    int32_t value;
};

struct moat_row {
    const unsigned char *base; /* the FDE; expressions lie at base + value  */
    const unsigned char *end;  /* of what may be read                       */
    struct moat_rule cfa;      /* VAL_OFFSET: cfa_register plus value; or
                                  VAL_EXPRESSION                            */
    unsigned cfa_register;
    bool signal_frame; /* the caller's pc is no return address              */
    bool plain;        /* no rule needs a register, but the CFA's           */
    uint32_t set;      /* bits: the rules other than SAME; only these are
                          written                                           */
    struct moat_rule rules[MOAT_ARCH_DWARF_REGISTERS];
};

/* Makes the row of `pc` from the FDE at `fde`. False: it is not understood, or
 * not of this pc. */
bool moat_row_make(const struct moat_span *bytes, const unsigned char *fde,
                   uintptr_t pc, struct moat_row *out);

/* The same, searching the entries from `bytes->begin` on, one by one. */
bool moat_row_find(const struct moat_span *bytes, uintptr_t pc,
                   struct moat_row *out);

#endif
