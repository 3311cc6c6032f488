/*
 * rules.c: makes unwind information, a stack and registers from the input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rules.h"

#include <string.h>
#include <sys/mman.h>

#include "sys/size.h"
#include "target.h"

#define MAX_PROGRAM 120u

/* Always the same address, so that an input means the same each time. */
#define AT ((void *)(uintptr_t)0x200000000000)

struct rules rules;

static unsigned char *page_end;

/* An inaccessible page lies at either side; the code is not far away, as
 * libunwind's tables have offsets of four bytes. */
void rules_begin(void)
{
    size_t page = moat_page_bytes();
    unsigned char *at;

    if (page_end != NULL)
        return;
    target_begin();
    at = mmap(AT, 8 * page, PROT_NONE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    TARGET_CHECK(at != MAP_FAILED);
    TARGET_CHECK(mprotect(at + page, page, PROT_READ | PROT_WRITE) == 0);
    TARGET_CHECK(mprotect(at + 5 * page, page, PROT_READ | PROT_WRITE) == 0);
    page_end = at + 2 * page;
    rules.code = (uintptr_t)(at + 3 * page);
    rules.words = (uintptr_t *)(void *)(at + 5 * page);
}

void rules_put(const unsigned char *bytes, size_t count)
{
    unsigned char *begin = page_end - count;

    memcpy(begin, bytes, count);
    rules.bytes = (struct moat_span){begin, page_end};
    rules.fde = begin;
}

static unsigned char *put(unsigned char *at, const void *bytes, size_t count)
{
    memcpy(at, bytes, count);
    return at + count;
}

static unsigned char *put_word(unsigned char *at, size_t value)
{
    const uint32_t word = (uint32_t)value;

    return put(at, &word, sizeof word);
}

/* Ends an entry at a multiple of four, with instructions that do nothing. */
static unsigned char *end_entry(unsigned char *begin, unsigned char *at)
{
    while ((at - begin) % 4 != 0)
        *at++ = 0;
    (void)put_word(begin, (size_t)(at - begin) - 4);
    return at;
}

/* An instruction that makes sense, with small operands. */
static unsigned char *compose_one(struct input *input, unsigned char *at)
{
    static const unsigned char with_one[] = {0x0e, 0x0d, 0x08, 0x07, 0x06};
    unsigned char reg = (unsigned char)input_below(input, 16);
    unsigned char small = (unsigned char)(8 * input_below(input, 8));
    unsigned which = input_below(input, 11);

    if (which < sizeof with_one) {
        *at++ = with_one[which];
        *at++ = which == 0 ? small : reg;
        return at;
    }
    switch (which) {
    case 5:
        return put(at, (unsigned char[]){0x0c, reg, small}, 3);
    case 6:
        return put(at, (unsigned char[]){0x80 | reg, small / 8}, 2);
    case 7:
        return put(at, (unsigned char[]){0xc0 | reg}, 1);
    case 8:
        return put(
            at, (unsigned char[]){0x16, reg, 4, 0x70 | reg, 8, 0x23, small}, 7);
    case 9:
        return put(at, (unsigned char[]){0x40 | (small / 8)}, 1);
    default:
        return put(at, small >= 32 ? "\x0a" : "\x0b", 1);
    }
}

static size_t compose(struct input *input, unsigned char *program)
{
    unsigned char *at = program;

    for (unsigned count = input_below(input, 14); count > 0; count--)
        at = compose_one(input, at);
    return (size_t)(at - program);
}

void rules_make(struct input *input, bool composed)
{
    /* version, "zR", column 16, absolute addresses; CFA = rsp + 8, the return
     * address at CFA - 8 */
    static const unsigned char first[] = {1, 'z', 'R', 0};
    static const unsigned char then[] = {16, 1, 0, 0x0c, 7, 8, 0x90, 1};
    const uint64_t range[2] = {rules.code, RULES_CODE_BYTES};
    unsigned char program[MAX_PROGRAM], made[256], *at, *fde;
    size_t count;

    at = put(put_word(put_word(made, 0), 0), first, sizeof first);
    *at++ = (unsigned char)(1 + input_below(input, 4));
    *at++ = input_below(input, 4) == 0 ? input_u8(input) & 0x7f : 0x78;
    fde = end_entry(made, put(at, then, sizeof then));
    if (composed)
        count = compose(input, program);
    else
        count = input_bytes(input, program, input_below(input, MAX_PROGRAM));
    at = put(put_word(put_word(fde, 0), (size_t)(fde + 4 - made)), range,
             sizeof range);
    *at++ = 0;
    at = end_entry(fde, put(at, program, count));
    rules_put(made, (size_t)(at - made));
    rules.fde = page_end - (at - fde);
}

static uintptr_t any_value(struct input *input)
{
    switch (input_below(input, 8)) {
    case 0:
        return input_u64(input);
    case 1:
        return (uintptr_t)rules.bytes.begin + input_u8(input);
    default:
        return (uintptr_t)(rules.words + input_u8(input));
    }
}

void rules_fill_stack(struct input *input)
{
    for (unsigned i = 0; i < RULES_WORDS; i++)
        rules.words[i] = i * UINT64_C(0x0101010101010101);
    for (unsigned i = 0; i < 16; i++) {
        uint8_t at = input_u8(input);

        rules.words[at] = any_value(input);
    }
}

void rules_registers(struct input *input, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        *moat_arch_dwarf_register(out, i) = any_value(input);
    out->pc = rules.code + input_u8(input);
}
