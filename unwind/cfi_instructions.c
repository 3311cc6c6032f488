/*
 * cfi_instructions.c: checks call frame instructions (DWARF 4, 6.4.2) and the
 * expressions in them (2.5.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cfi_instructions.h"

#include <stddef.h>

#include "arch/arch.h"
#include "unwind/dwarf.h"

/* libgcc takes room on the stack for each state that is remembered. */
#define MAX_STATES 32u

/* The stack of libgcc's and libunwind's machines, less what they may use
 * themselves. */
#define MAX_VALUES 60u

/* A number of 64 bits takes no more. */
#define MAX_LEB_BYTES 10

/* --- reading ------------------------------------------------------------- */

uint64_t moat_cfi_leb(struct moat_reader *reader, bool is_signed)
{
    const unsigned char *begin = reader->at;
    uint64_t value = moat_read_leb(reader, is_signed);

    reader->bad |= reader->at - begin > MAX_LEB_BYTES;
    return value;
}

/* --- expressions --------------------------------------------------------- */

/* Operands: 1, 2, 4, 8: a number of so many bytes; u, s: unsigned and signed
 * LEB128; r: the number of a register. Jumps are not allowed: no compiler needs
 * them, and without them the depth of the stack is known. */
struct operation {
    const char *operands;
    unsigned char first, last, pops, pushes;
};

static const struct operation operations[] = {
    {"8", DW_OP_addr, DW_OP_addr, 0, 1},
    {"", DW_OP_deref, DW_OP_deref, 1, 1},
    {"1", DW_OP_const1u, DW_OP_const1s, 0, 1},
    {"2", DW_OP_const2u, DW_OP_const2s, 0, 1},
    {"4", DW_OP_const4u, DW_OP_const4s, 0, 1},
    {"8", DW_OP_const8u, DW_OP_const8s, 0, 1},
    {"u", DW_OP_constu, DW_OP_constu, 0, 1},
    {"s", DW_OP_consts, DW_OP_consts, 0, 1},
    {"", DW_OP_dup, DW_OP_dup, 1, 2},
    {"", DW_OP_drop, DW_OP_drop, 1, 0},
    {"", DW_OP_over, DW_OP_over, 2, 3},
    {"", DW_OP_swap, DW_OP_swap, 2, 2},
    {"", DW_OP_rot, DW_OP_rot, 3, 3},
    {"", DW_OP_abs, DW_OP_abs, 1, 1},
    {"", DW_OP_and, DW_OP_mul, 2, 1},
    {"", DW_OP_neg, DW_OP_not, 1, 1},
    {"", DW_OP_or, DW_OP_plus, 2, 1},
    {"u", DW_OP_plus_uconst, DW_OP_plus_uconst, 1, 1},
    {"", DW_OP_shl, DW_OP_xor, 2, 1},
    {"", DW_OP_eq, DW_OP_ne, 2, 1},
    {"", DW_OP_lit0, DW_OP_lit31, 0, 1},
    {"s", DW_OP_breg0, DW_OP_breg15, 0, 1},
    {"rs", DW_OP_bregx, DW_OP_bregx, 0, 1},
    {"", DW_OP_nop, DW_OP_nop, 0, 0},
};

static const struct operation *operation_of(uint64_t code)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (operations[i].first <= code && code <= operations[i].last)
            return &operations[i];
    }
    return NULL;
}

static void skip_operand(struct moat_reader *reader, char kind);

static void skip_operands(struct moat_reader *reader, const char *kinds)
{
    for (; *kinds != '\0'; kinds++)
        skip_operand(reader, *kinds);
}

/* Returns whether it can be run with `values` on the stack at first, and leaves
 * at least one. */
static bool is_expression(struct moat_reader reader, unsigned values)
{
    while (reader.at < reader.end) {
        const struct operation *operation = operation_of(moat_read(&reader, 1));

        if (operation == NULL || values < operation->pops)
            return false;
        values += operation->pushes - (unsigned)operation->pops;
        if (values > MAX_VALUES)
            return false;
        skip_operands(&reader, operation->operands);
    }
    return !reader.bad && values > 0;
}

/* --- instructions -------------------------------------------------------- */

/* Operands as above, and: e, x: an expression without and with a value on the
 * stack at first. */
static const char *const instructions[64] = {
    [DW_CFA_nop] = "",
    [DW_CFA_advance_loc1] = "1",
    [DW_CFA_advance_loc2] = "2",
    [DW_CFA_advance_loc4] = "4",
    [DW_CFA_offset_extended] = "uu",
    [DW_CFA_restore_extended] = "u",
    [DW_CFA_undefined] = "u",
    [DW_CFA_same_value] = "u",
    [DW_CFA_register] = "ur",
    [DW_CFA_remember_state] = "",
    [DW_CFA_restore_state] = "",
    [DW_CFA_def_cfa] = "ru",
    [DW_CFA_def_cfa_register] = "r",
    [DW_CFA_def_cfa_offset] = "u",
    [DW_CFA_def_cfa_expression] = "e",
    [DW_CFA_expression] = "ux",
    [DW_CFA_offset_extended_sf] = "us",
    [DW_CFA_def_cfa_sf] = "rs",
    [DW_CFA_def_cfa_offset_sf] = "s",
    [DW_CFA_val_offset] = "uu",
    [DW_CFA_val_offset_sf] = "us",
    [DW_CFA_val_expression] = "ux",
    [DW_CFA_GNU_args_size] = "u",
    [DW_CFA_GNU_negative_offset_extended] = "uu",
};

/* advance_loc, offset and restore have an operand in their lower six bits. */
static const char *const with_number[4] = {NULL, "", "u", ""};

/* The return address has a number, but is in no register. */
static bool has_value(uint64_t number)
{
    return number < MOAT_ARCH_DWARF_REGISTERS && number != MOAT_ARCH_DWARF_PC;
}

static void skip_operand(struct moat_reader *reader, char kind)
{
    switch (kind) {
    case 'u':
        (void)moat_cfi_leb(reader, false);
        break;
    case 's':
        (void)moat_cfi_leb(reader, true);
        break;
    case 'r':
        reader->bad |= !has_value(moat_cfi_leb(reader, false));
        break;
    case 'e':
    case 'x':
        reader->bad |= !is_expression(
            moat_reader_part(reader, moat_cfi_leb(reader, false)), kind == 'x');
        break;
    default:
        (void)moat_read(reader, (size_t)(kind - '0'));
    }
}

/* Returns whether no more states are restored than were remembered. */
static bool keeps_balance(uint64_t code, unsigned *states)
{
    if (code == DW_CFA_remember_state)
        return (*states)++ < MAX_STATES;
    if (code == DW_CFA_restore_state)
        return (*states)-- > 0;
    return true;
}

bool moat_cfi_are_instructions(struct moat_reader reader)
{
    unsigned states = 0;

    while (reader.at < reader.end) {
        uint64_t code = moat_read(&reader, 1);
        const char *operands =
            code >> 6 != 0 ? with_number[code >> 6] : instructions[code];

        if (operands == NULL || !keeps_balance(code, &states))
            return false;
        skip_operands(&reader, operands);
    }
    return !reader.bad;
}
