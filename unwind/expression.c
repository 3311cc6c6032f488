/*
 * expression.c: DWARF expressions, as far as unwind rules have them (DWARF 4,
 * 2.5 and 6.4.2): glibc's signal frame, the PLT, functions that realign their
 * stack, and moat's own root and window.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/reader.h"
#include "unwind/row.h"

#define MOST_VALUES 32u
#define MOST_STEPS  1000u /* an expression may jump back */

enum {
    OP_ADDR = 0x03,
    OP_DEREF = 0x06,
    OP_CONST1U = 0x08,
    OP_CONST8S = 0x0f,
    OP_CONSTU = 0x10,
    OP_CONSTS = 0x11,
    OP_DUP = 0x12,
    OP_DROP = 0x13,
    OP_OVER = 0x14,
    OP_PICK = 0x15,
    OP_SWAP = 0x16,
    OP_ROT = 0x17,
    OP_ABS = 0x19,
    OP_AND = 0x1a,
    OP_DIV = 0x1b,
    OP_MINUS = 0x1c,
    OP_MOD = 0x1d,
    OP_MUL = 0x1e,
    OP_NEG = 0x1f,
    OP_NOT = 0x20,
    OP_OR = 0x21,
    OP_PLUS = 0x22,
    OP_PLUS_UCONST = 0x23,
    OP_SHL = 0x24,
    OP_SHR = 0x25,
    OP_SHRA = 0x26,
    OP_XOR = 0x27,
    OP_BRA = 0x28,
    OP_EQ = 0x29,
    OP_GE = 0x2a,
    OP_GT = 0x2b,
    OP_LE = 0x2c,
    OP_LT = 0x2d,
    OP_NE = 0x2e,
    OP_SKIP = 0x2f,
    OP_LIT0 = 0x30,
    OP_LIT31 = 0x4f,
    OP_BREG0 = 0x70,
    OP_BREG31 = 0x8f,
    OP_BREGX = 0x92,
    OP_DEREF_SIZE = 0x94,
    OP_NOP = 0x96
};

struct machine {
    struct moat_reader code;
    const unsigned char *begin;
    const struct moat_cursor *cursor;
    uint64_t values[MOST_VALUES];
    unsigned count;
    bool failed;
};

static void push(struct machine *machine, uint64_t value)
{
    if (machine->count == MOST_VALUES)
        machine->failed = true;
    else
        machine->values[machine->count++] = value;
}

static uint64_t pop(struct machine *machine)
{
    if (machine->count == 0) {
        machine->failed = true;
        return 0;
    }
    return machine->values[--machine->count];
}

/* The value so many below the last. */
static uint64_t pick(struct machine *machine, unsigned below)
{
    if (below >= machine->count) {
        machine->failed = true;
        return 0;
    }
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
    unsigned bytes = 1u << (op - OP_CONST1U) / 2, unused = 64 - 8 * bytes;
    uint64_t value = moat_read(code, bytes);

    if ((op - OP_CONST1U) % 2 == 0 || unused == 0)
        return value;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

static uint64_t divide(struct machine *machine, uint64_t left, uint64_t right)
{
    if (right == 0 || (right == UINT64_MAX && left == (uint64_t)1 << 63)) {
        machine->failed = true;
        return 0;
    }
    return (uint64_t)((int64_t)left / (int64_t)right);
}

static uint64_t modulo(struct machine *machine, uint64_t left, uint64_t right)
{
    if (right == 0) {
        machine->failed = true;
        return 0;
    }
    return left % right;
}

static uint64_t shift(unsigned op, uint64_t value, uint64_t by)
{
    if (op == OP_SHRA)
        return (uint64_t)((int64_t)value >> (by < 64 ? by : 63));
    if (by >= 64)
        return 0;
    return op == OP_SHL ? value << by : value >> by;
}

static void run_binary(struct machine *machine, unsigned op)
{
    uint64_t right = pop(machine), left = pop(machine);
    int64_t a = (int64_t)left, b = (int64_t)right;

    switch (op) {
    case OP_AND:
        push(machine, left & right);
        break;
    case OP_DIV:
        push(machine, divide(machine, left, right));
        break;
    case OP_MINUS:
        push(machine, left - right);
        break;
    case OP_MOD:
        push(machine, modulo(machine, left, right));
        break;
    case OP_MUL:
        push(machine, left * right);
        break;
    case OP_OR:
        push(machine, left | right);
        break;
    case OP_PLUS:
        push(machine, left + right);
        break;
    case OP_SHL:
    case OP_SHR:
    case OP_SHRA:
        push(machine, shift(op, left, right));
        break;
    case OP_XOR:
        push(machine, left ^ right);
        break;
    case OP_EQ:
        push(machine, a == b);
        break;
    case OP_GE:
        push(machine, a >= b);
        break;
    case OP_GT:
        push(machine, a > b);
        break;
    case OP_LE:
        push(machine, a <= b);
        break;
    case OP_LT:
        push(machine, a < b);
        break;
    case OP_NE:
        push(machine, a != b);
        break;
    default:
        machine->failed = true;
        break;
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

static void run_unary(struct machine *machine, unsigned op)
{
    uint64_t value = pop(machine);

    if (op == OP_NOT)
        push(machine, ~value);
    else if (op == OP_NEG || (int64_t)value < 0)
        push(machine, 0 - value);
    else
        push(machine, value);
}

static void run_one(struct machine *machine, unsigned op)
{
    struct moat_reader *code = &machine->code;
    int16_t distance;

    if (op >= OP_LIT0 && op <= OP_LIT31) {
        push(machine, op - OP_LIT0);
        return;
    }
    if (op >= OP_BREG0 && op <= OP_BREG31) {
        push(machine, based(machine, op - OP_BREG0));
        return;
    }
    if (op >= OP_CONST1U && op <= OP_CONST8S) {
        push(machine, read_constant(code, op));
        return;
    }
    switch (op) {
    case OP_NOP:
        break;
    case OP_ADDR:
        push(machine, moat_read(code, sizeof(uintptr_t)));
        break;
    case OP_CONSTU:
        push(machine, moat_read_uleb(code));
        break;
    case OP_CONSTS:
        push(machine, (uint64_t)moat_read_sleb(code));
        break;
    case OP_BREGX:
        push(machine, based(machine, moat_read_uleb(code)));
        break;
    case OP_DEREF:
        push(machine, load(machine, pop(machine), sizeof(uintptr_t)));
        break;
    case OP_DEREF_SIZE:
        push(machine, load(machine, pop(machine), moat_read_u8(code)));
        break;
    case OP_DUP:
        push(machine, pick(machine, 0));
        break;
    case OP_DROP:
        (void)pop(machine);
        break;
    case OP_OVER:
        push(machine, pick(machine, 1));
        break;
    case OP_PICK:
        push(machine, pick(machine, moat_read_u8(code)));
        break;
    case OP_SWAP:
        swap(machine);
        break;
    case OP_ROT:
        rotate(machine);
        break;
    case OP_ABS:
    case OP_NEG:
    case OP_NOT:
        run_unary(machine, op);
        break;
    case OP_PLUS_UCONST:
        push(machine, pop(machine) + moat_read_uleb(code));
        break;
    case OP_SKIP:
        jump(machine, (int16_t)moat_read_u16(code));
        break;
    case OP_BRA:
        distance = (int16_t)moat_read_u16(code);
        if (pop(machine) != 0)
            jump(machine, distance);
        break;
    default:
        run_binary(machine, op);
        break;
    }
}

bool moat_expression_value(const struct moat_row *row, int32_t value,
                           const struct moat_cursor *cursor,
                           const uintptr_t *first, uintptr_t *out)
{
    struct machine machine;
    uint64_t bytes;

    machine.code = (struct moat_reader){row->base + value, row->end, false};
    machine.cursor = cursor;
    machine.count = 0;
    machine.failed = false;
    bytes = moat_read_uleb(&machine.code);
    if (machine.code.bad || bytes > moat_reader_left(&machine.code))
        return false;
    machine.begin = machine.code.at;
    machine.code.end = machine.begin + bytes;
    if (first != NULL)
        push(&machine, *first);
    for (unsigned steps = 0; moat_reader_left(&machine.code) > 0; steps++) {
        if (steps == MOST_STEPS || machine.failed)
            return false;
        run_one(&machine, moat_read_u8(&machine.code));
    }
    *out = pop(&machine);
    return !machine.failed && !machine.code.bad;
}
