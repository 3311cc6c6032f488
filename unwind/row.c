/*
 * row.c: runs the program of an entry up to a pc.
 *
 * Call frame information (DWARF 4, 6.4) is a table: for each pc a row, which
 * has a rule for each register and one for the CFA, the canonical frame
 * address: the stack pointer of the caller. The table is not stored but
 * computed by a program: most instructions set rules of the current row, and
 * advance_loc moves to the next. So the row of a pc is what the rules are when
 * the location first passes the pc, or at the program's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/row.h"

#include <string.h>

#include "unwind/dwarf.h"
#include "unwind/eh_frame.h"

#define MAX_REMEMBERED 8u

/* The part of a row that remember_state saves and restore_state loads. */
struct state {
    struct moat_rule cfa;
    unsigned cfa_register;
    struct moat_rule rules[MOAT_ARCH_DWARF_REGISTERS];
};

struct run {
    const struct moat_eh_fde *fde;
    const unsigned char *base; /* expressions are noted relative to it */
    struct moat_reader *program;
    uintptr_t pc, location;
    struct state now, initial, remembered[MAX_REMEMBERED];
    unsigned depth;
    bool failed;
};

static void set_rule(struct run *run, uint64_t number, enum moat_rule_kind kind,
                     int64_t value)
{
    /* Vector registers and the like: no frame is found by them. */
    if (number >= MOAT_ARCH_DWARF_REGISTERS)
        return;
    if (value != (int32_t)value)
        run->failed = true;
    run->now.rules[number] = (struct moat_rule){kind, (int32_t)value};
}

static void restore_rule(struct run *run, uint64_t number)
{
    if (number < MOAT_ARCH_DWARF_REGISTERS)
        run->now.rules[number] = run->initial.rules[number];
}

static void set_cfa(struct run *run, enum moat_rule_kind kind, int64_t value)
{
    if (value != (int32_t)value)
        run->failed = true;
    run->now.cfa = (struct moat_rule){kind, (int32_t)value};
}

/* Half of a rule can be changed only if it is a register and an offset (DWARF
 * 5, section 6.4.2.2). */
static void require_offset(struct run *run)
{
    run->failed |= run->now.cfa.kind != MOAT_RULE_VAL_OFFSET;
}

static void set_cfa_register(struct run *run, uint64_t number)
{
    if (number >= MOAT_ARCH_DWARF_REGISTERS)
        run->failed = true;
    else
        run->now.cfa_register = (unsigned)number;
}

static int64_t read_scaled(struct run *run, bool is_signed)
{
    uint64_t value = moat_read_leb(run->program, is_signed);

    return (int64_t)(value * (uint64_t)run->fde->cie.data_unit);
}

static void advance(struct run *run, uint64_t units)
{
    run->location += units * run->fde->cie.code_unit;
}

static int64_t read_expression(struct run *run)
{
    int64_t offset = run->program->at - run->base;

    moat_reader_skip(run->program, moat_read_uleb(run->program));
    return offset;
}

static void remember(struct run *run)
{
    if (run->depth == MAX_REMEMBERED)
        run->failed = true;
    else
        run->remembered[run->depth++] = run->now;
}

static void restore(struct run *run)
{
    if (run->depth == 0)
        run->failed = true;
    else
        run->now = run->remembered[--run->depth];
}

/* Instructions whose first operand is the number of a register. */
static void run_rule(struct run *run, unsigned op)
{
    uint64_t number = moat_read_uleb(run->program);

    switch (op) {
    case DW_CFA_offset_extended:
    case DW_CFA_offset_extended_sf:
        set_rule(run, number, MOAT_RULE_OFFSET,
                 read_scaled(run, op == DW_CFA_offset_extended_sf));
        break;
    case DW_CFA_GNU_negative_offset_extended:
        set_rule(run, number, MOAT_RULE_OFFSET, -read_scaled(run, false));
        break;
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:
        set_rule(run, number, MOAT_RULE_VAL_OFFSET,
                 read_scaled(run, op == DW_CFA_val_offset_sf));
        break;
    case DW_CFA_restore_extended:
        restore_rule(run, number);
        break;
    case DW_CFA_undefined:
        set_rule(run, number, MOAT_RULE_UNDEFINED, 0);
        break;
    case DW_CFA_same_value:
        set_rule(run, number, MOAT_RULE_SAME, 0);
        break;
    case DW_CFA_register:
        set_rule(run, number, MOAT_RULE_REGISTER,
                 (int64_t)moat_read_uleb(run->program));
        break;
    case DW_CFA_expression:
        set_rule(run, number, MOAT_RULE_EXPRESSION, read_expression(run));
        break;
    case DW_CFA_val_expression:
        set_rule(run, number, MOAT_RULE_VAL_EXPRESSION, read_expression(run));
        break;
    default:
        run->failed = true;
        break;
    }
}

static void run_cfa(struct run *run, unsigned op)
{
    struct moat_reader *program = run->program;

    switch (op) {
    case DW_CFA_def_cfa:
        set_cfa_register(run, moat_read_uleb(program));
        set_cfa(run, MOAT_RULE_VAL_OFFSET, (int64_t)moat_read_uleb(program));
        break;
    case DW_CFA_def_cfa_sf:
        set_cfa_register(run, moat_read_uleb(program));
        set_cfa(run, MOAT_RULE_VAL_OFFSET, read_scaled(run, true));
        break;
    case DW_CFA_def_cfa_register:
        require_offset(run);
        set_cfa_register(run, moat_read_uleb(program));
        break;
    case DW_CFA_def_cfa_offset:
        require_offset(run);
        set_cfa(run, MOAT_RULE_VAL_OFFSET, (int64_t)moat_read_uleb(program));
        break;
    case DW_CFA_def_cfa_offset_sf:
        require_offset(run);
        set_cfa(run, MOAT_RULE_VAL_OFFSET, read_scaled(run, true));
        break;
    case DW_CFA_def_cfa_expression:
        set_cfa(run, MOAT_RULE_VAL_EXPRESSION, read_expression(run));
        break;
    default:
        run_rule(run, op);
        break;
    }
}

static void run_extended(struct run *run, unsigned op)
{
    struct moat_reader *program = run->program;

    switch (op) {
    case DW_CFA_nop:
        break;
    case DW_CFA_set_loc:
        run->location =
            moat_eh_read_pointer(program, run->fde->cie.pointer_encoding);
        break;
    case DW_CFA_advance_loc1:
        advance(run, moat_read(program, 1));
        break;
    case DW_CFA_advance_loc2:
        advance(run, moat_read(program, 2));
        break;
    case DW_CFA_advance_loc4:
        advance(run, moat_read(program, 4));
        break;
    case DW_CFA_remember_state:
        remember(run);
        break;
    case DW_CFA_restore_state:
        restore(run);
        break;
    case DW_CFA_GNU_args_size:
        (void)moat_read_uleb(program);
        break;
    default:
        run_cfa(run, op);
        break;
    }
}

static void run_one(struct run *run)
{
    uint8_t op = moat_read_u8(run->program);

    switch (op & 0xc0) {
    case DW_CFA_advance_loc:
        advance(run, op & 0x3f);
        break;
    case DW_CFA_offset:
        set_rule(run, op & 0x3f, MOAT_RULE_OFFSET, read_scaled(run, false));
        break;
    case DW_CFA_restore:
        restore_rule(run, op & 0x3f);
        break;
    default:
        run_extended(run, op);
        break;
    }
}

/* Runs up to the first row that begins after the pc. */
static bool run_program(struct run *run, struct moat_reader program)
{
    run->program = &program;
    /* An instruction that advances the location sets no rule. */
    while (moat_reader_left(&program) > 0 && !run->failed &&
           run->location <= run->pc)
        run_one(run);
    run->program = NULL;
    return !run->failed && !program.bad;
}

static void begin_run(struct run *run, const struct moat_eh_fde *fde,
                      const unsigned char *base, uintptr_t pc)
{
    run->fde = fde;
    run->base = base;
    run->pc = pc;
    run->location = fde->start;
    run->depth = 0;
    run->failed = false;
    memset(&run->now, 0, sizeof run->now);
    run->now.rules[MOAT_ARCH_DWARF_PC].kind = MOAT_RULE_UNDEFINED;
    run->now.cfa.kind = MOAT_RULE_UNDEFINED;
    memset(&run->initial, 0, sizeof run->initial);
}

/* Notes which rules the row has. */
static void summarise(struct moat_row *row)
{
    row->set = 0;
    row->plain = true;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        enum moat_rule_kind kind = row->rules[i].kind;

        if (kind != MOAT_RULE_SAME)
            row->set |= UINT32_C(1) << i;
        if (kind > MOAT_RULE_OFFSET)
            row->plain = false;
    }
}

/* The CIE's program sets the rules that the FDE's starts from, and to which a
 * restore goes back. */
static bool make_row(const struct moat_span *bytes,
                     const struct moat_eh_fde *fde, const unsigned char *base,
                     uintptr_t pc, struct moat_row *out)
{
    struct run run;

    begin_run(&run, fde, base, pc);
    if (!run_program(&run, fde->cie.program))
        return false;
    run.initial = run.now;
    if (!run_program(&run, fde->program))
        return false;
    out->base = base;
    out->end = bytes->end;
    out->cfa = run.now.cfa;
    out->cfa_register = run.now.cfa_register;
    out->signal_frame = fde->cie.signal_frame;
    memcpy(out->rules, run.now.rules, sizeof out->rules);
    summarise(out);
    return true;
}

bool moat_row_make(const struct moat_span *bytes, const unsigned char *fde,
                   uintptr_t pc, struct moat_row *out)
{
    struct moat_eh_fde entry;

    return moat_eh_read(bytes, fde, &entry) && pc - entry.start < entry.bytes &&
           make_row(bytes, &entry, fde, pc, out);
}

/* A CIE is no FDE, and makes no row. */
bool moat_row_find(const struct moat_span *bytes, uintptr_t pc,
                   struct moat_row *out)
{
    const unsigned char *at = bytes->begin, *next;

    while ((next = moat_eh_next(bytes, at)) != NULL) {
        if (moat_row_make(bytes, at, pc, out))
            return true;
        at = next;
    }
    return false;
}
