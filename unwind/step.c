/*
 * step.c: a step from a frame to its caller's.
 *
 * The row of the frame's pc has the rules. The CFA comes first, from a register
 * of the frame; the other rules are relative to it. Then each register with a
 * rule gets the address that it is saved at, and the return address is loaded.
 * A rule may also compute a register's value, which is saved nowhere: it is
 * kept in the cursor. All rules are applied to the registers of the frame
 * before any of them is replaced by the caller's.
 *
 *   objects.c     the loaded file of a pc, and the FDE for the pc
 *   eh_frame.c    an FDE, read
 *   row.c         an FDE's program, run up to a pc: a row
 *   rows.c        rows that were made before
 *   expression.c  values that a row has an expression for
 *   step.c        a row applied to a cursor
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/step.h"

#include "unwind/expression.h"
#include "unwind/frame_record.h"
#include "unwind/row.h"
#include "unwind/rows.h"

/* --- registered code ----------------------------------------------------- */

static enum moat_step step_by_record(struct moat_cursor *cursor)
{
    struct moat_frame_record record;
    moat_regs regs;

    moat_cursor_get(cursor, &regs);
    if (!moat_frame_record_peek(regs.fp, &record))
        return MOAT_STEP_END;
    regs.sp = regs.fp + sizeof record;
    regs.fp = record.fp;
    regs.pc = record.pc;
    moat_cursor_set(cursor, &regs, false);
    return MOAT_STEP_MADE;
}

static enum moat_step step_by_size(struct moat_cursor *cursor,
                                   size_t frame_bytes)
{
    uintptr_t saved_at = cursor->sp + frame_bytes, pc;
    moat_regs regs;

    if (!moat_arch_peek(saved_at, &pc))
        return MOAT_STEP_END;
    moat_cursor_get(cursor, &regs);
    regs.sp = saved_at + sizeof pc;
    regs.pc = pc;
    moat_cursor_set(cursor, &regs, false);
    return MOAT_STEP_MADE;
}

/* --- rows ---------------------------------------------------------------- */

static bool find_cfa(const struct moat_cursor *cursor,
                     const struct moat_row *row, uintptr_t *out)
{
    uintptr_t base;

    if (row->cfa.kind == MOAT_RULE_VAL_EXPRESSION)
        return moat_expression_value(row, row->cfa.value, cursor, NULL, out);
    if (row->cfa.kind != MOAT_RULE_VAL_OFFSET ||
        !moat_cursor_register(cursor, row->cfa_register, &base))
        return false;
    *out = base + (uintptr_t)(intptr_t)row->cfa.value;
    return true;
}

/* The caller's registers, where they differ from the frame's. */
struct next {
    uint32_t computed; /* bits: in `values`, as they are saved nowhere */
    uintptr_t saved_at[MOAT_ARCH_DWARF_REGISTERS];
    uintptr_t values[MOAT_ARCH_DWARF_REGISTERS];
};

static bool find_register(const struct moat_cursor *cursor,
                          const struct moat_row *row, unsigned number,
                          uintptr_t cfa, struct next *next)
{
    const struct moat_rule *rule = &row->rules[number];
    bool computed = rule->kind >= MOAT_RULE_VAL_OFFSET;
    uintptr_t *out = computed ? next->values : next->saved_at;

    next->computed |= (uint32_t)computed << number;
    switch (rule->kind) {
    case MOAT_RULE_UNDEFINED:
        out[number] = 0;
        return true;
    case MOAT_RULE_OFFSET:
    case MOAT_RULE_VAL_OFFSET:
        out[number] = cfa + (uintptr_t)(intptr_t)rule->value;
        return true;
    case MOAT_RULE_EXPRESSION:
    case MOAT_RULE_VAL_EXPRESSION:
        return moat_expression_value(row, rule->value, cursor, &cfa,
                                     &out[number]);
    case MOAT_RULE_REGISTER:
        return (unsigned)rule->value < MOAT_ARCH_DWARF_REGISTERS &&
               moat_cursor_register(cursor, (unsigned)rule->value,
                                    &out[number]);
    default:
        return false;
    }
}

static bool find_pc(const struct next *next, uintptr_t *out)
{
    if (next->computed >> MOAT_ARCH_DWARF_PC & 1) {
        *out = next->values[MOAT_ARCH_DWARF_PC];
        return true;
    }
    return moat_arch_peek(next->saved_at[MOAT_ARCH_DWARF_PC], out);
}

static void move(struct moat_cursor *cursor, const struct moat_row *row,
                 const struct next *next)
{
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        unsigned number = (unsigned)__builtin_ctz(set);
        uintptr_t *value;

        cursor->saved_at[number] = next->saved_at[number];
        if (next->computed >> number & 1) {
            value = moat_arch_dwarf_register(&cursor->values, number);
            *value = next->values[number];
            cursor->saved_at[number] = (uintptr_t)value;
        }
    }
}

static bool apply_any(struct moat_cursor *cursor, const struct moat_row *row,
                      uintptr_t cfa, uintptr_t *pc)
{
    struct next next;

    next.computed = 0;
    next.saved_at[MOAT_ARCH_DWARF_PC] = 0;
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        if (!find_register(cursor, row, (unsigned)__builtin_ctz(set), cfa,
                           &next))
            return false;
    }
    if (!find_pc(&next, pc))
        return false;
    move(cursor, row, &next);
    return true;
}

/* Nearly all rows are plain: registers are saved in the frame, and no rule
 * reads one. */
static bool apply_plain(struct moat_cursor *cursor, const struct moat_row *row,
                        uintptr_t cfa, uintptr_t *pc)
{
    const struct moat_rule *rules = row->rules;
    uintptr_t saved_at =
        cfa + (uintptr_t)(intptr_t)rules[MOAT_ARCH_DWARF_PC].value;

    if (!moat_arch_peek(saved_at, pc))
        return false;
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        unsigned number = (unsigned)__builtin_ctz(set);

        saved_at = cfa + (uintptr_t)(intptr_t)rules[number].value;
        cursor->saved_at[number] =
            rules[number].kind == MOAT_RULE_OFFSET ? saved_at : 0;
    }
    return true;
}

/* The caller's stack pointer is the CFA (psABI 3.7). */
static enum moat_step apply(struct moat_cursor *cursor,
                            const struct moat_row *row)
{
    uintptr_t cfa, pc;

    if ((row->set >> MOAT_ARCH_DWARF_PC & 1) == 0 ||
        !find_cfa(cursor, row, &cfa))
        return MOAT_STEP_LOST;
    if (row->rules[MOAT_ARCH_DWARF_PC].kind == MOAT_RULE_UNDEFINED)
        return MOAT_STEP_END;
    if (!(row->plain ? apply_plain : apply_any)(cursor, row, cfa, &pc))
        return MOAT_STEP_LOST;
    cursor->pc = pc;
    cursor->sp = cfa;
    cursor->exact = row->signal_frame;
    return MOAT_STEP_MADE;
}

/* Such a row is not cached: without a file around it, nothing would tell it
 * from that of other code which is registered at the same address later. */
static enum moat_step step_by_entries(struct moat_cursor *cursor, uintptr_t pc,
                                      const moat_code *code)
{
    const unsigned char *begin = code->eh_frame;
    const struct moat_span bytes = {begin, begin + code->eh_frame_bytes};
    struct moat_row row;

    return moat_row_find(&bytes, pc, &row) ? apply(cursor, &row)
                                           : MOAT_STEP_LOST;
}

static enum moat_step step_registered(struct moat_cursor *cursor, uintptr_t pc,
                                      const moat_code *code)
{
    switch (code->unwind) {
    case MOAT_CODE_UNWIND_FP:
        return step_by_record(cursor);
    case MOAT_CODE_UNWIND_FIXED:
        return step_by_size(cursor, code->frame_bytes);
    case MOAT_CODE_UNWIND_CFI:
        return step_by_entries(cursor, pc, code);
    default:
        return MOAT_STEP_END;
    }
}

static bool find_row(struct moat_cursor *cursor, uintptr_t pc,
                     struct moat_row *out)
{
    if (pc - cursor->object.start >=
            cursor->object.end - cursor->object.start &&
        !moat_object_find(pc, &cursor->object)) {
        cursor->object.start = cursor->object.end = 0;
        return false;
    }
    return moat_rows_find(&cursor->object, pc, out);
}

enum moat_step moat_cursor_step(struct moat_cursor *cursor,
                                moat_unwind_lookup *lookup)
{
    uintptr_t pc = cursor->exact ? cursor->pc : cursor->pc - 1;
    struct moat_row row;
    moat_code code;

    if (!MOAT_ARCH_KNOWS_REGISTERS)
        return MOAT_STEP_LOST;
    if (lookup(pc, &code) && code.unwind != MOAT_CODE_UNWIND_NONE)
        return step_registered(cursor, pc, &code);
    return find_row(cursor, pc, &row) ? apply(cursor, &row) : MOAT_STEP_LOST;
}
