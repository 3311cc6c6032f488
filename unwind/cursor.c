/*
 * cursor.c: from a frame to its caller's.
 *
 * Registers are not loaded on the way but noted as places: most are never
 * asked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "unwind/row.h"

void moat_cursor_set(struct moat_cursor *cursor, const moat_regs *regs,
                     bool exact)
{
    cursor->values = *regs;
    cursor->pc = regs->pc;
    cursor->sp = regs->sp;
    cursor->exact = exact;
    cursor->object.start = cursor->object.end = 0;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        cursor->places[i] =
            (uintptr_t)moat_arch_dwarf_register(&cursor->values, i);
}

bool moat_cursor_register(const struct moat_cursor *cursor, unsigned number,
                          uintptr_t *out)
{
    if (number == MOAT_ARCH_DWARF_SP) {
        *out = cursor->sp;
        return true;
    }
    if (number == MOAT_ARCH_DWARF_PC) {
        *out = cursor->pc;
        return true;
    }
    return cursor->places[number] != 0 &&
           moat_arch_peek(cursor->places[number], out);
}

void moat_cursor_get(const struct moat_cursor *cursor, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        uintptr_t value;

        if (moat_cursor_register(cursor, i, &value))
            *moat_arch_dwarf_register(out, i) = value;
    }
}

/* --- registered code ----------------------------------------------------- */

static bool step_by_fp(struct moat_cursor *cursor)
{
    uintptr_t fp, caller_fp, pc;
    moat_regs regs;

    moat_cursor_get(cursor, &regs);
    fp = regs.fp;
    if (!moat_arch_peek(fp, &caller_fp) || !moat_arch_peek(fp + sizeof fp, &pc))
        return false;
    regs.sp = fp + 2 * sizeof fp;
    regs.fp = caller_fp;
    regs.pc = pc;
    moat_cursor_set(cursor, &regs, false);
    return true;
}

static bool step_by_size(struct moat_cursor *cursor, size_t frame_bytes)
{
    uintptr_t place = cursor->sp + frame_bytes, pc;
    moat_regs regs;

    if (!moat_arch_peek(place, &pc))
        return false;
    moat_cursor_get(cursor, &regs);
    regs.sp = place + sizeof pc;
    regs.pc = pc;
    moat_cursor_set(cursor, &regs, false);
    return true;
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

/* The caller's registers, as far as they are not where the frame's are. */
struct next {
    uint32_t laid_down; /* bits: in `values`, as they lie nowhere */
    uintptr_t places[MOAT_ARCH_DWARF_REGISTERS];
    uintptr_t values[MOAT_ARCH_DWARF_REGISTERS];
};

static bool find_place(const struct moat_cursor *cursor,
                       const struct moat_row *row, unsigned number,
                       uintptr_t cfa, struct next *next)
{
    const struct moat_rule *rule = &row->rules[number];
    uintptr_t *place = &next->places[number], *value = &next->values[number];

    switch (rule->kind) {
    case MOAT_RULE_UNDEFINED:
        *place = 0;
        return true;
    case MOAT_RULE_OFFSET:
        *place = cfa + (uintptr_t)(intptr_t)rule->value;
        return true;
    case MOAT_RULE_EXPRESSION:
        return moat_expression_value(row, rule->value, cursor, &cfa, place);
    default:
        break;
    }
    next->laid_down |= UINT32_C(1) << number;
    switch (rule->kind) {
    case MOAT_RULE_VAL_OFFSET:
        *value = cfa + (uintptr_t)(intptr_t)rule->value;
        return true;
    case MOAT_RULE_VAL_EXPRESSION:
        return moat_expression_value(row, rule->value, cursor, &cfa, value);
    case MOAT_RULE_REGISTER:
        return (unsigned)rule->value < MOAT_ARCH_DWARF_REGISTERS &&
               moat_cursor_register(cursor, (unsigned)rule->value, value);
    default:
        return false;
    }
}

static bool find_pc(const struct next *next, uintptr_t *out)
{
    if (next->laid_down >> MOAT_ARCH_DWARF_PC & 1) {
        *out = next->values[MOAT_ARCH_DWARF_PC];
        return true;
    }
    return moat_arch_peek(next->places[MOAT_ARCH_DWARF_PC], out);
}

static void move(struct moat_cursor *cursor, const struct moat_row *row,
                 const struct next *next)
{
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        unsigned number = (unsigned)__builtin_ctz(set);
        uintptr_t *kept;

        cursor->places[number] = next->places[number];
        if (next->laid_down >> number & 1) {
            kept = moat_arch_dwarf_register(&cursor->values, number);
            *kept = next->values[number];
            cursor->places[number] = (uintptr_t)kept;
        }
    }
}

static bool apply_any(struct moat_cursor *cursor, const struct moat_row *row,
                      uintptr_t cfa, uintptr_t *pc)
{
    struct next next;

    next.laid_down = 0;
    next.places[MOAT_ARCH_DWARF_PC] = 0;
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        if (!find_place(cursor, row, (unsigned)__builtin_ctz(set), cfa, &next))
            return false;
    }
    if (!find_pc(&next, pc))
        return false;
    move(cursor, row, &next);
    return true;
}

/* Nearly all rows: registers saved in the frame. */
static bool apply_plain(struct moat_cursor *cursor, const struct moat_row *row,
                        uintptr_t cfa, uintptr_t *pc)
{
    const struct moat_rule *rules = row->rules;
    uintptr_t place =
        cfa + (uintptr_t)(intptr_t)rules[MOAT_ARCH_DWARF_PC].value;

    if (!moat_arch_peek(place, pc))
        return false;
    for (uint32_t set = row->set; set != 0; set &= set - 1) {
        unsigned number = (unsigned)__builtin_ctz(set);

        place = cfa + (uintptr_t)(intptr_t)rules[number].value;
        cursor->places[number] =
            rules[number].kind == MOAT_RULE_OFFSET ? place : 0;
    }
    return true;
}

/* The stack pointer is the CFA, which is what that is (psABI 3.7). */
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

/* Without a file around it: not kept, for the next one at its place would be
 * taken for it. */
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
    bool made = false;

    switch (code->unwind) {
    case MOAT_CODE_UNWIND_FP:
        made = step_by_fp(cursor);
        break;
    case MOAT_CODE_UNWIND_FIXED:
        made = step_by_size(cursor, code->frame_bytes);
        break;
    case MOAT_CODE_UNWIND_CFI:
        return step_by_entries(cursor, pc, code);
    default:
        break;
    }
    return made ? MOAT_STEP_MADE : MOAT_STEP_END;
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

    if (lookup(pc, &code) && code.unwind != MOAT_CODE_UNWIND_NONE)
        return step_registered(cursor, pc, &code);
    return find_row(cursor, pc, &row) ? apply(cursor, &row) : MOAT_STEP_LOST;
}
