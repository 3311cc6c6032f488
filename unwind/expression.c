/*
 * expression.c: a stack machine for the DWARF expressions of unwind rules
 * (DWARF 4, 2.5 and 6.4.2).
 *
 * They are found in glibc's signal frame, the PLT, functions that realign their
 * stack, and moat's own root and window.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/expression.h"

#include "unwind/dwarf.h"

#define MAX_VALUES 32u
#define MAX_STEPS  1000u /* an expression may jump back */

struct machine {
    struct moat_reader code;
    const unsigned char *begin;
    const struct moat_cursor *cursor;
    uint64_t values[MAX_VALUES];
    unsigned count;
    bool failed;
};

static void push(struct machine *machine, uint64_t value)
{
    if (machine->count == MAX_VALUES)
        machine->failed = true;
    else
        machine->values[machine->count++] = value;
}

static uint64_t fail(struct machine *machine)
{
    machine->failed = true;
    return 0;
}

static uint64_t pop(struct machine *machine)
{
    if (machine->count == 0)
        return fail(machine);
    return machine->values[--machine->count];
}

/* Returns the value that is `below` others. */
static uint64_t pick(struct machine *machine, unsigned below)
{
    if (below >= machine->count)
        return fail(machine);
    return machine->values[machine->count - 1 - below];
}

static uint64_t based(struct machine *machine, uint64_t number)
{
    int64_t offset = moat_read_sleb(&machine->code);
    uintptr_t value = 0;

    if (number >= MOAT_ARCH_DWARF_REGISTERS ||
        !moat_cursor_register(machine->cursor, (unsigned)number, &value))
        machine->failed = true;
    return value + (uint64_t)offset;
}

static uint64_t load(struct machine *machine, uint64_t address, unsigned bytes)
{
    uintptr_t word = 0;

    if (bytes == 0 || bytes > sizeof word || machine->failed ||
        !moat_arch_peek(address, &word))
        machine->failed = true;
    return bytes < sizeof word ? word & ((UINT64_C(1) << 8 * bytes) - 1) : word;
}

static void jump(struct machine *machine, int16_t distance)
{
    ptrdiff_t to = machine->code.at - machine->begin + distance;

    if (to < 0 || to > machine->code.end - machine->begin)
        machine->failed = true;
    else
        machine->code.at = machine->begin + to;
}

/* const1u, const1s, const2u, ..., const8s */
static uint64_t read_constant(struct moat_reader *code, unsigned op)
{
    unsigned bytes = 1u << (op - DW_OP_const1u) / 2, unused = 64 - 8 * bytes;
    uint64_t value = moat_read(code, bytes);

    if ((op - DW_OP_const1u) % 2 == 0 || unused == 0)
        return value;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

static uint64_t divide(struct machine *machine, uint64_t left, uint64_t right)
{
    if (right == 0 || (right == UINT64_MAX && left == (uint64_t)1 << 63))
        return fail(machine);
    return (uint64_t)((int64_t)left / (int64_t)right);
}

static uint64_t shift(unsigned op, uint64_t value, uint64_t by)
{
    if (op == DW_OP_shra)
        return (uint64_t)((int64_t)value >> (by < 64 ? by : 63));
    if (by >= 64)
        return 0;
    return op == DW_OP_shl ? value << by : value >> by;
}

static uint64_t binary(struct machine *machine, unsigned op)
{
    uint64_t right = pop(machine), left = pop(machine);
    int64_t a = (int64_t)left, b = (int64_t)right;

    switch (op) {
    case DW_OP_and:
        return left & right;
    case DW_OP_div:
        return divide(machine, left, right);
    case DW_OP_minus:
        return left - right;
    case DW_OP_mod:
        return right != 0 ? left % right : fail(machine);
    case DW_OP_mul:
        return left * right;
    case DW_OP_or:
        return left | right;
    case DW_OP_plus:
        return left + right;
    case DW_OP_shl:
    case DW_OP_shr:
    case DW_OP_shra:
        return shift(op, left, right);
    case DW_OP_xor:
        return left ^ right;
    case DW_OP_eq:
        return a == b;
    case DW_OP_ge:
        return a >= b;
    case DW_OP_gt:
        return a > b;
    case DW_OP_le:
        return a <= b;
    case DW_OP_lt:
        return a < b;
    case DW_OP_ne:
        return a != b;
    default:
        return fail(machine);
    }
}

static void rotate(struct machine *machine)
{
    uint64_t first = pop(machine), second = pop(machine), third = pop(machine);

    push(machine, first);
    push(machine, third);
    push(machine, second);
}

static void swap(struct machine *machine)
{
    uint64_t first = pop(machine), second = pop(machine);

    push(machine, first);
    push(machine, second);
}

static uint64_t unary(struct machine *machine, unsigned op)
{
    uint64_t value = pop(machine);

    if (op == DW_OP_not)
        return ~value;
    return op == DW_OP_neg || (int64_t)value < 0 ? 0 - value : value;
}

/* Computes the value that the operation pushes. */
static uint64_t compute(struct machine *machine, unsigned op)
{
    struct moat_reader *code = &machine->code;

    if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
        return op - DW_OP_lit0;
    if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
        return based(machine, op - DW_OP_breg0);
    if (op >= DW_OP_const1u && op <= DW_OP_const8s)
        return read_constant(code, op);
    switch (op) {
    case DW_OP_addr:
        return moat_read(code, sizeof(uintptr_t));
    case DW_OP_constu:
        return moat_read_uleb(code);
    case DW_OP_consts:
        return (uint64_t)moat_read_sleb(code);
    case DW_OP_bregx:
        return based(machine, moat_read_uleb(code));
    case DW_OP_deref:
        return load(machine, pop(machine), sizeof(uintptr_t));
    case DW_OP_deref_size:
        return load(machine, pop(machine), moat_read_u8(code));
    case DW_OP_dup:
        return pick(machine, 0);
    case DW_OP_over:
        return pick(machine, 1);
    case DW_OP_pick:
        return pick(machine, moat_read_u8(code));
    case DW_OP_abs:
    case DW_OP_neg:
    case DW_OP_not:
        return unary(machine, op);
    case DW_OP_plus_uconst:
        return pop(machine) + moat_read_uleb(code);
    default:
        return binary(machine, op);
    }
}

static void run_one(struct machine *machine, unsigned op)
{
    int16_t distance;

    switch (op) {
    case DW_OP_nop:
        break;
    case DW_OP_drop:
        (void)pop(machine);
        break;
    case DW_OP_swap:
        swap(machine);
        break;
    case DW_OP_rot:
        rotate(machine);
        break;
    case DW_OP_skip:
        jump(machine, (int16_t)moat_read(&machine->code, 2));
        break;
    case DW_OP_bra:
        distance = (int16_t)moat_read(&machine->code, 2);
        if (pop(machine) != 0)
            jump(machine, distance);
        break;
    default:
        push(machine, compute(machine, op));
        break;
    }
}

bool moat_expression_value(const struct moat_row *row, int32_t value,
                           const struct moat_cursor *cursor,
                           const uintptr_t *first, uintptr_t *out)
{
    struct moat_reader rules = {row->base + value, row->end, false};
    struct machine machine;

    machine.code = moat_reader_part(&rules, moat_read_uleb(&rules));
    machine.begin = machine.code.at;
    machine.cursor = cursor;
    machine.count = 0;
    machine.failed = false;
    if (first != NULL)
        push(&machine, *first);
    for (unsigned steps = 0; moat_reader_left(&machine.code) > 0; steps++) {
        if (steps == MAX_STEPS || machine.failed)
            return false;
        run_one(&machine, moat_read_u8(&machine.code));
    }
    *out = pop(&machine);
    return !machine.failed && !machine.code.bad;
}
