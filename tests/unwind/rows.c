/*
 * rows.c: at every byte of every function of this program, of the C library and
 * of libunwind, moat's own step must give the same result as libunwind's, from
 * the same registers on the same stack.
 *
 *   rows STRIDE   every STRIDE-th byte of the libraries
 *
 * The stack is artificial: each word holds the address of another word of it,
 * each a different one, so that a value read by a rule identifies the word it
 * came from.
 *
 * SPDX-License-Identifier: MIT
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "tests/unwind/chain.h"
#include "unwind/step.h"

#define WORDS ((size_t)65536)

static uintptr_t image[WORDS];
static const uintptr_t no_register = 0x6e6f6e65;

struct result {
    bool made;
    uintptr_t pc, sp, kept[MOAT_ARCH_DWARF_KEPT];
};

static unsigned long compared, ended, lost, differ;

static bool nothing(uintptr_t pc, moat_code *out)
{
    (void)pc;
    (void)out;
    return false;
}

static void fill_image(void)
{
    for (size_t i = 0; i < WORDS; i++)
        image[i] = (uintptr_t)&image[(i * 40503 + 12345) % WORDS];
}

static void set_registers(uintptr_t pc, moat_regs *regs)
{
    memset(regs, 0, sizeof *regs);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        *moat_arch_dwarf_register(regs, i) =
            (uintptr_t)&image[WORDS / 4 + 1000 * (i + 1)];
    regs->pc = pc;
    regs->sp = (uintptr_t)&image[WORDS / 8];
}

/* --- the two steps -------------------------------------------------------- */

static enum moat_step step_ours(const moat_regs *regs, struct result *out)
{
    struct moat_cursor cursor;
    enum moat_step step;

    moat_cursor_set(&cursor, regs, true);
    step = moat_cursor_step(&cursor, nothing);
    out->made = step == MOAT_STEP_MADE && cursor.pc != 0;
    out->pc = cursor.pc;
    out->sp = cursor.sp;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_KEPT; i++)
        if (!moat_cursor_register(&cursor, moat_arch_dwarf_kept[i],
                                  &out->kept[i]))
            out->kept[i] = no_register;
    return step;
}

static void make_context(const moat_regs *regs, ucontext_t *out)
{
    static const int places[MOAT_ARCH_DWARF_REGISTERS] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
        REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
        REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
    moat_regs copy = *regs;

    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_REGISTERS; i++)
        out->uc_mcontext.gregs[places[i]] =
            (greg_t)*moat_arch_dwarf_register(&copy, i);
}

static void step_theirs(const moat_regs *regs, struct result *out)
{
    unw_cursor_t cursor;
    ucontext_t context;
    unw_word_t value;

    make_context(regs, &context);
    out->made =
        unw_init_local2(&cursor, &context, UNW_INIT_SIGNAL_FRAME) == 0 &&
        unw_step(&cursor) > 0;
    if (!out->made)
        return;
    out->pc = unw_get_reg(&cursor, UNW_REG_IP, &value) == 0 ? value : 0;
    out->sp = unw_get_reg(&cursor, UNW_REG_SP, &value) == 0 ? value : 0;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_KEPT; i++)
        out->kept[i] =
            unw_get_reg(&cursor, moat_arch_dwarf_kept[i], &value) == 0
                ? value
                : no_register;
}

/* --- the comparison ------------------------------------------------------- */

static bool is_same(const struct result *ours, const struct result *theirs)
{
    if (ours->pc != theirs->pc || ours->sp != theirs->sp)
        return false;
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_KEPT; i++)
        if (ours->kept[i] != theirs->kept[i])
            return false;
    return true;
}

static void show(const char *who, const struct result *result)
{
    printf("  %-10s %s pc %#lx sp %#lx kept", who,
           result->made ? "made" : "end ", (unsigned long)result->pc,
           (unsigned long)result->sp);
    for (unsigned i = 0; i < MOAT_ARCH_DWARF_KEPT; i++)
        printf(" %#lx", (unsigned long)result->kept[i]);
    printf("\n");
}

static void compare(uintptr_t pc)
{
    struct result ours, theirs;
    moat_regs regs;
    enum moat_step step;

    set_registers(pc, &regs);
    step = step_ours(&regs, &ours);
    compared++;
    if (step == MOAT_STEP_LOST) {
        lost++;
        return;
    }
    step_theirs(&regs, &theirs);
    if (!ours.made && !theirs.made) {
        ended++;
        return;
    }
    if (ours.made == theirs.made && is_same(&ours, &theirs))
        return;
    if (differ++ < 10) {
        printf("at %#lx in %s:\n", (unsigned long)pc, chain_name(pc));
        show("moat", &ours);
        show("libunwind", &theirs);
    }
}

/* Compares all functions of the file that contains this address. */
static void compare_all(const char *what, uintptr_t address, size_t stride)
{
    struct moat_object object;
    uintptr_t pc, start, end;
    unsigned long before = compared, lost_before = lost;
    unsigned functions = 0;

    if (!CHECK(moat_object_find(address, &object)))
        return;
    for (pc = object.start; pc < object.end;) {
        if (!moat_unwind_procedure(pc, &start, &end)) {
            pc++;
            continue;
        }
        functions++;
        for (; pc < end; pc += stride)
            compare(pc);
        pc = end;
    }
    printf("%s: %u functions, %lu addresses, %lu without a rule\n", what,
           functions, compared - before, lost - lost_before);
    CHECK(functions > 20);
    CHECK(lost == lost_before);
}

int main(int argc, char **argv)
{
    size_t stride = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (stride == 0) {
        fprintf(stderr, "usage: rows STRIDE\n");
        return 2;
    }
    fill_image();
    compare_all("the program", (uintptr_t)main, 1);
    compare_all("the C library", (uintptr_t)strtoul, stride);
    compare_all("libunwind", (uintptr_t)unw_step, stride);
    printf("%lu addresses, %lu outermost, %lu differ\n", compared, ended,
           differ);
    CHECK(differ == 0);
    CHECK(ended > 0);
    return chain_result();
}
