/*
 * cfi_instructions.c: reads and judges call frame instructions (DWARF 4, 6.4.2)
 * and the expressions in them (2.5.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/cfi.h"

#include <string.h>

/* libgcc takes room on the stack for each state that is remembered. */
#define MOST_STATES 32u

/* Of libgcc and libunwind, less what they may need themselves. */
#define MOST_VALUES 60u

/* General registers; 16 is the return address. */
#define REGISTERS 16u

/* --- reading ------------------------------------------------------------- */

uint64_t moat_cfi_read(struct moat_cfi_reader *reader, size_t bytes)
{
    uint64_t value = 0;

    if ((size_t)(reader->end - reader->at) < bytes) {
        reader->bad = true;
        reader->at = reader->end;
        return 0;
    }
    memcpy(&value, reader->at, bytes); /* little endian */
    reader->at += bytes;
    return value;
}

/* Gives the last byte's sign, too. */
static uint64_t read_leb(struct moat_cfi_reader *reader, bool *negative,
                         unsigned *bits)
{
    uint64_t value = 0, byte;

    *bits = 0;
    do {
        byte = moat_cfi_read(reader, 1);
        if (*bits < 64)
            value |= (byte & 0x7f) << *bits;
        *bits += 7;
    } while (byte & 0x80 && *bits < 70);
    reader->bad |= (byte & 0x80) != 0;
    *negative = (byte & 0x40) != 0;
    return value;
}

uint64_t moat_cfi_uleb(struct moat_cfi_reader *reader)
{
    bool negative;
    unsigned bits;

    return read_leb(reader, &negative, &bits);
}

int64_t moat_cfi_sleb(struct moat_cfi_reader *reader)
{
    bool negative;
    unsigned bits;
    uint64_t value = read_leb(reader, &negative, &bits);

    if (negative && bits < 64)
        value |= ~UINT64_C(0) << bits;
    return (int64_t)value;
}

struct moat_cfi_reader moat_cfi_part(struct moat_cfi_reader *reader,
                                     uint64_t bytes)
{
    struct moat_cfi_reader part = {reader->at, reader->at, reader->bad};

    if ((uint64_t)(reader->end - reader->at) < bytes) {
        reader->bad = part.bad = true;
        return part;
    }
    reader->at = part.end = reader->at + bytes;
    return part;
}

/* --- expressions --------------------------------------------------------- */

/* Operands: 1, 2, 4, 8: so many bytes; u, s: unsigned, signed LEB128; r: the
 * number of a register. Jumps are left out: no compiler needs them, and the
 * depth of the stack is plain without. */
struct operation {
    unsigned char first, last;
    const char *operands;
    unsigned char pops, pushes;
};

static const struct operation operations[] = {
    {0x03, 0x03, "8", 0, 1},  /* addr            */
    {0x06, 0x06, "", 1, 1},   /* deref           */
    {0x08, 0x09, "1", 0, 1},  /* const1u, s      */
    {0x0a, 0x0b, "2", 0, 1},  /* const2u, s      */
    {0x0c, 0x0d, "4", 0, 1},  /* const4u, s      */
    {0x0e, 0x0f, "8", 0, 1},  /* const8u, s      */
    {0x10, 0x10, "u", 0, 1},  /* constu          */
    {0x11, 0x11, "s", 0, 1},  /* consts          */
    {0x12, 0x12, "", 1, 2},   /* dup             */
    {0x13, 0x13, "", 1, 0},   /* drop            */
    {0x14, 0x14, "", 2, 3},   /* over            */
    {0x16, 0x16, "", 2, 2},   /* swap            */
    {0x17, 0x17, "", 3, 3},   /* rot             */
    {0x19, 0x19, "", 1, 1},   /* abs             */
    {0x1a, 0x1e, "", 2, 1},   /* and ... mul     */
    {0x1f, 0x20, "", 1, 1},   /* neg, not        */
    {0x21, 0x22, "", 2, 1},   /* or, plus        */
    {0x23, 0x23, "u", 1, 1},  /* plus_uconst     */
    {0x24, 0x27, "", 2, 1},   /* shl ... xor     */
    {0x29, 0x2e, "", 2, 1},   /* eq ... ne       */
    {0x30, 0x4f, "", 0, 1},   /* lit0 ... lit31  */
    {0x70, 0x7f, "s", 0, 1},  /* breg0 ... 15    */
    {0x92, 0x92, "rs", 0, 1}, /* bregx           */
    {0x96, 0x96, "", 0, 0},   /* nop             */
};

static const struct operation *operation_of(uint64_t code)
{
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (operations[i].first <= code && code <= operations[i].last)
            return &operations[i];
    }
    return NULL;
}

static void skip_operand(struct moat_cfi_reader *reader, char kind);

static void skip_operands(struct moat_cfi_reader *reader, const char *kinds)
{
    for (; *kinds != '\0'; kinds++)
        skip_operand(reader, *kinds);
}

/* Leaves at least a value on the stack, on which `values` are at first. */
static bool is_expression(struct moat_cfi_reader reader, unsigned values)
{
    while (reader.at < reader.end) {
        const struct operation *operation =
            operation_of(moat_cfi_read(&reader, 1));

        if (operation == NULL || values < operation->pops)
            return false;
        values += operation->pushes - (unsigned)operation->pops;
        if (values > MOST_VALUES)
            return false;
        skip_operands(&reader, operation->operands);
    }
    return !reader.bad && values > 0;
}

/* --- instructions -------------------------------------------------------- */

/* Operands as above, and: e, x: an expression without and with a value on the
 * stack at first. */
static const char *const instructions[64] = {
    [0x00] = "",   /* nop                */
    [0x02] = "1",  /* advance_loc1       */
    [0x03] = "2",  /* advance_loc2       */
    [0x04] = "4",  /* advance_loc4       */
    [0x05] = "uu", /* offset_extended    */
    [0x06] = "u",  /* restore_extended   */
    [0x07] = "u",  /* undefined          */
    [0x08] = "u",  /* same_value         */
    [0x09] = "ur", /* register           */
    [0x0a] = "",   /* remember_state     */
    [0x0b] = "",   /* restore_state      */
    [0x0c] = "ru", /* def_cfa            */
    [0x0d] = "r",  /* def_cfa_register   */
    [0x0e] = "u",  /* def_cfa_offset     */
    [0x0f] = "e",  /* def_cfa_expression */
    [0x10] = "ux", /* expression         */
    [0x11] = "us", /* offset_extended_sf */
    [0x12] = "rs", /* def_cfa_sf         */
    [0x13] = "s",  /* def_cfa_offset_sf  */
    [0x14] = "uu", /* val_offset         */
    [0x15] = "us", /* val_offset_sf      */
    [0x16] = "ux", /* val_expression     */
    [0x2e] = "u",  /* GNU_args_size      */
    [0x2f] = "uu", /* GNU_negative_offset_extended */
};

/* advance_loc, offset and restore have a number in their low bits. */
static const char *const with_number[4] = {NULL, "", "u", ""};

static void skip_operand(struct moat_cfi_reader *reader, char kind)
{
    switch (kind) {
    case 'u':
        (void)moat_cfi_uleb(reader);
        break;
    case 's':
        (void)moat_cfi_sleb(reader);
        break;
    case 'r':
        reader->bad |= moat_cfi_uleb(reader) >= REGISTERS;
        break;
    case 'e':
    case 'x':
        reader->bad |= !is_expression(
            moat_cfi_part(reader, moat_cfi_uleb(reader)), kind == 'x');
        break;
    default:
        (void)moat_cfi_read(reader, (size_t)(kind - '0'));
    }
}

/* Are there no more states restored than remembered? */
static bool keeps_balance(uint64_t code, unsigned *states)
{
    if (code == 0x0a)
        return (*states)++ < MOST_STATES;
    if (code == 0x0b)
        return (*states)-- > 0;
    return true;
}

bool moat_cfi_are_instructions(struct moat_cfi_reader reader)
{
    unsigned states = 0;

    while (reader.at < reader.end) {
        uint64_t code = moat_cfi_read(&reader, 1);
        const char *operands =
            code >> 6 != 0 ? with_number[code >> 6] : instructions[code];

        if (operands == NULL || !keeps_balance(code, &states))
            return false;
        skip_operands(&reader, operands);
    }
    return !reader.bad;
}
