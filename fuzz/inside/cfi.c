/*
 * cfi.c: the target `cfi`: unwind information that may be anything.
 *
 * As a whole section, it is read as registered code's would be: what is refused
 * has no effect, and what is accepted and rewritten must mean the same as
 * before. As instructions within sound entries, it makes a step, which must be
 * libunwind's if both accept it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdlib.h>

#include "rules.h"
#include "target.h"
#include "unwind/cfi.h"
#include "unwind/dwarf.h"
#include "unwind/eh_frame.h"
#include "unwind/row.h"
#include "unwind/step.h"

#define MAX_SECTION    512u
#define LEB_BYTES      9u  /* take 63 bits           */
#define FDE_HEAD_BYTES 25u /* up to the instructions */

/* --- peeks ---------------------------------------------------------------- */

static struct sigaction former[2];

static void repair(int signo, siginfo_t *info, void *context)
{
    (void)info;
    if (!moat_arch_fix_peek(context))
        (void)sigaction(signo, &former[signo == SIGBUS], NULL);
}

static void repair_peeks(void)
{
    static bool done;
    struct sigaction action;

    if (done)
        return;
    done = true;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = repair;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    TARGET_CHECK(sigaction(SIGSEGV, &action, &former[0]) == 0);
    TARGET_CHECK(sigaction(SIGBUS, &action, &former[1]) == 0);
}

/* --- a section ------------------------------------------------------------ */

static bool is_by_expression(enum moat_rule_kind kind)
{
    return kind == MOAT_RULE_EXPRESSION || kind == MOAT_RULE_VAL_EXPRESSION;
}

/* Where an expression lies has changed; that it is one has not. */
static bool is_same_rule(const struct moat_rule *a, const struct moat_rule *b)
{
    return a->kind == b->kind &&
           (a->value == b->value || is_by_expression(a->kind));
}

static void check_same(const struct moat_row *a, const struct moat_row *b)
{
    TARGET_CHECK(is_same_rule(&a->cfa, &b->cfa));
    TARGET_CHECK(a->cfa_register == b->cfa_register ||
                 is_by_expression(a->cfa.kind));
    TARGET_CHECK(a->signal_frame == b->signal_frame && a->set == b->set);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        TARGET_CHECK(is_same_rule(&a->rules[i], &b->rules[i]));
}

static void check_rewritten(const struct moat_cfi *cfi)
{
    const unsigned char *begin = cfi->bytes;
    const struct moat_span bytes = {begin, begin + cfi->size};
    struct moat_row before, after;

    for (uintptr_t at = 0; at < RULES_CODE_BYTES; at += 97) {
        bool was = moat_row_find(&rules.bytes, rules.code + at, &before);
        bool is = moat_row_find(&bytes, rules.code + at, &after);

        if (was != is)
            target_fail("a row was %s by the rewriting", is ? "made" : "lost");
        if (was)
            check_same(&before, &after);
    }
}

/* All that reads a section, from its start and from anywhere in it. */
static void read_section(struct input *in)
{
    size_t count = (size_t)(rules.bytes.end - rules.bytes.begin);
    const unsigned char *somewhere =
        rules.bytes.begin + (count > 0 ? input_u8(in) % count : 0);
    struct moat_row row;
    uint64_t print;

    (void)moat_row_find(&rules.bytes, rules.code + 5, &row);
    (void)moat_row_make(&rules.bytes, somewhere, rules.code, &row);
    (void)moat_eh_fingerprint(&rules.bytes, somewhere, &print);
}

static void run_section(struct input *in)
{
    unsigned char bytes[MAX_SECTION];
    moat_code code = MOAT_CODE_INIT;
    struct moat_cfi cfi;
    moat_status status;
    uint8_t where = input_u8(in);

    rules_put(bytes, input_bytes(in, bytes, sizeof bytes));
    code.start = (const void *)rules.code;
    code.size = RULES_CODE_BYTES;
    code.unwind = MOAT_CODE_UNWIND_CFI;
    code.eh_frame = rules.bytes.begin;
    code.eh_frame_bytes = (size_t)(rules.bytes.end - rules.bytes.begin);
    read_section(&(struct input){&where, &where + 1});
    status = moat_cfi_make(&code, &cfi);
    if (status == MOAT_OK)
        check_rewritten(&cfi);
    else
        TARGET_CHECK(cfi.bytes == NULL);
    free(cfi.bytes);
}

/* --- a step --------------------------------------------------------------- */

static bool look_up(uintptr_t pc, moat_code *out)
{
    (void)pc;
    *out = (moat_code)MOAT_CODE_INIT;
    out->unwind = MOAT_CODE_UNWIND_CFI;
    out->eh_frame = rules.bytes.begin;
    out->eh_frame_bytes = (size_t)(rules.bytes.end - rules.bytes.begin);
    return true;
}

static bool has_long_number(const unsigned char *at)
{
    unsigned length = 0;

    for (; at < rules.bytes.end && length < LEB_BYTES; at++)
        length = *at >= 0x80 ? length + 1 : 0;
    return length == LEB_BYTES;
}

/* DW_OP_deref_size of a number of bytes that no type has. */
static bool has_odd_size(const unsigned char *at)
{
    for (; rules.bytes.end - at > 1; at++) {
        if (at[0] == DW_OP_deref_size && (at[1] & (at[1] - 1)) != 0)
            return true;
    }
    return false;
}

/* libunwind 1.6 does not understand DW_CFA_val_offset, but goes on; of
 * DW_CFA_GNU_negative_offset_extended it takes the complement instead of the
 * negative, and of DW_CFA_register the caller's value; it shifts by 64 bits and
 * more as C does not allow, loads three bytes from the wrong end, and takes
 * numbers beyond 64 bits wrongly. Bytes that look like any of these are left
 * alone. */
static bool is_comparable(void)
{
    static const unsigned char disputed[] = {
        DW_CFA_val_offset, DW_CFA_val_offset_sf,
        DW_CFA_register,   DW_CFA_GNU_negative_offset_extended,
        DW_OP_shl,         DW_OP_shr,
        DW_OP_shra};
    size_t count = (size_t)(rules.bytes.end - rules.fde);

    for (size_t i = 0; i < sizeof disputed; i++) {
        if (memchr(rules.fde + FDE_HEAD_BYTES, disputed[i],
                   count - FDE_HEAD_BYTES) != NULL)
            return false;
    }
    return !has_long_number(rules.fde + FDE_HEAD_BYTES) &&
           !has_odd_size(rules.fde + FDE_HEAD_BYTES);
}

static void compare(const struct moat_cursor *cursor, const moat_regs *before)
{
    moat_regs theirs;
    uint32_t known;
    uintptr_t ours;

    memset(&theirs, 0, sizeof theirs);
    if (!is_comparable() || !rules_ask_libunwind(before, &theirs, &known))
        return;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++) {
        if (!(known >> i & 1) || !moat_cursor_register(cursor, i, &ours))
            continue;
        if (ours != *moat_arch_dwarf_register(&theirs, i))
            target_fail("register %u is %#zx, but libunwind says %#zx", i,
                        (size_t)ours,
                        (size_t)*moat_arch_dwarf_register(&theirs, i));
    }
}

static void run_step(struct input *in, bool composed)
{
    struct moat_cursor cursor;
    moat_regs regs;

    rules_make(in, composed);
    rules_fill_stack(in);
    rules_registers(in, &regs);
    moat_cursor_set(&cursor, &regs, true);
    if (moat_cursor_step(&cursor, look_up) == MOAT_STEP_MADE)
        compare(&cursor, &regs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    unsigned mode;

    rules_begin();
    repair_peeks();
    mode = input_below(&in, 3);
    if (mode == 0)
        run_section(&in);
    else
        run_step(&in, mode == 2);
    return 0;
}
