/*
 * cursor.h: a frame, and what is known of its registers.
 *
 * Registers are not loaded on the way up a stack but noted by the address that
 * they are saved at: most are never asked for.
 *
 * Async-signal-safe: memory is read by moat_arch_peek, which survives a fault.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_CURSOR_H
#define MOAT_UNWIND_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arch.h"
#include "unwind/objects.h"

/* It points into itself: not to be copied. */
struct moat_cursor {
    uintptr_t pc, sp;
    bool exact; /* pc is the next instruction, not a return address         */
    uintptr_t saved_at[MOAT_ARCH_DWARF_REGISTERS]; /* 0: not known          */
    moat_regs values;          /* those that are in no stack                */
    struct moat_object object; /* the file of the last pc; empty: none      */
};

void moat_cursor_set(struct moat_cursor *cursor, const moat_regs *regs,
                     bool exact);

/* Loads the registers; those that are not known are 0. */
void moat_cursor_get(const struct moat_cursor *cursor, moat_regs *out);

/* Loads one register. False: it is not known. */
static inline bool moat_cursor_register(const struct moat_cursor *cursor,
                                        unsigned number, uintptr_t *out)
{
    if (number == MOAT_ARCH_DWARF_SP) {
        *out = cursor->sp;
        return true;
    }
    if (number == MOAT_ARCH_DWARF_PC) {
        *out = cursor->pc;
        return true;
    }
    return cursor->saved_at[number] != 0 &&
           moat_arch_peek(cursor->saved_at[number], out);
}

#endif
