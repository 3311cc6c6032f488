/*
 * walk_libunwind.c: walks with libunwind, locally.
 *
 * Linked behind libgcc_s: libunwind has functions of the same names
 * (_Unwind_RaiseException and its kin), and where it came first C++ exceptions
 * through a root frame crashed.
 *
 * SPDX-License-Identifier: MIT
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "unwind/unwind.h"

bool moat_unwind_available(void)
{
    return true;
}

/* libunwind's context is a ucontext_t on x86-64; only general registers count.
 */
static void context_from_regs(const moat_regs *regs, ucontext_t *uc)
{
    greg_t *g = uc->uc_mcontext.gregs;

    memset(uc, 0, sizeof *uc);
    g[REG_RIP] = (greg_t)regs->pc;
    g[REG_RSP] = (greg_t)regs->sp;
    g[REG_RBP] = (greg_t)regs->fp;
    g[REG_RAX] = (greg_t)regs->rax;
    g[REG_RBX] = (greg_t)regs->rbx;
    g[REG_RCX] = (greg_t)regs->rcx;
    g[REG_RDX] = (greg_t)regs->rdx;
    g[REG_RSI] = (greg_t)regs->rsi;
    g[REG_RDI] = (greg_t)regs->rdi;
    g[REG_R8] = (greg_t)regs->r8;
    g[REG_R9] = (greg_t)regs->r9;
    g[REG_R10] = (greg_t)regs->r10;
    g[REG_R11] = (greg_t)regs->r11;
    g[REG_R12] = (greg_t)regs->r12;
    g[REG_R13] = (greg_t)regs->r13;
    g[REG_R14] = (greg_t)regs->r14;
    g[REG_R15] = (greg_t)regs->r15;
}

/* --- registered code ----------------------------------------------------- */

/* A walk, and the context that its cursor may refer to. */
struct walker {
    unw_cursor_t cursor;
    ucontext_t context;
    moat_unwind_lookup *lookup;
};

static uint64_t value_of(unw_cursor_t *cursor, unw_regnum_t number)
{
    unw_word_t value = 0;

    (void)unw_get_reg(cursor, number, &value);
    return value;
}

/* What a call preserves, and where the frame is. */
static void regs_from_cursor(unw_cursor_t *cursor, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->pc = value_of(cursor, UNW_REG_IP);
    out->sp = value_of(cursor, UNW_REG_SP);
    out->fp = value_of(cursor, UNW_X86_64_RBP);
    out->rbx = value_of(cursor, UNW_X86_64_RBX);
    out->r12 = value_of(cursor, UNW_X86_64_R12);
    out->r13 = value_of(cursor, UNW_X86_64_R13);
    out->r14 = value_of(cursor, UNW_X86_64_R14);
    out->r15 = value_of(cursor, UNW_X86_64_R15);
}

/* Reads the stack as registered: the caller of the walk survives what comes of
 * that. False: by libunwind's own rules, which are those that the code was
 * registered with, if there are any. */
static bool step_registered(const moat_code *code, moat_regs *regs)
{
    const uintptr_t *record;

    switch (code->unwind) {
    case MOAT_CODE_UNWIND_FP:
        record = (const uintptr_t *)regs->fp;
        regs->sp = regs->fp + 2 * sizeof *record;
        regs->fp = record[0];
        regs->pc = record[1];
        return true;
    case MOAT_CODE_UNWIND_FIXED:
        record = (const uintptr_t *)(regs->sp + code->frame_bytes);
        regs->sp = (uintptr_t)(record + 1);
        regs->pc = *record;
        return true;
    default:
        return false;
    }
}

/* To the caller's frame. */
static bool step(struct walker *walker, uintptr_t pc, bool exact)
{
    moat_code code;
    moat_regs regs;

    if (!walker->lookup(exact ? pc : pc - 1, &code))
        return unw_step(&walker->cursor) > 0;
    regs_from_cursor(&walker->cursor, &regs);
    if (!step_registered(&code, &regs))
        return unw_step(&walker->cursor) > 0;
    context_from_regs(&regs, &walker->context);
    return unw_init_local2(&walker->cursor, &walker->context, 0) == 0;
}

/* --- libraries that come and go ------------------------------------------- */

/* Loaded and unloaded when the cache was emptied last. */
static atomic_ullong changes_seen;

static int count_changes(struct dl_phdr_info *info, size_t size, void *changes)
{
    (void)size;
    *(unsigned long long *)changes = info->dlpi_adds + info->dlpi_subs;
    return 1; /* all objects tell the same */
}

/* libunwind remembers what it has found out by address, and would take it for
 * true of another library that lies there now. */
static void forget_if_changed(void)
{
    unsigned long long changes = 0;

    (void)dl_iterate_phdr(count_changes, &changes);
    if (changes == atomic_load(&changes_seen))
        return;
    unw_flush_cache(unw_local_addr_space, 0, 0);
    atomic_store(&changes_seen, changes);
}

/* --- walks --------------------------------------------------------------- */

static void walk(struct walker *walker, bool exact, moat_unwind_visit *visit,
                 void *arg)
{
    struct moat_unwind_frame frame = {0, 0, &walker->cursor};
    unw_word_t pc, sp;

    for (;;) {
        if (unw_get_reg(&walker->cursor, UNW_REG_IP, &pc) != 0 ||
            unw_get_reg(&walker->cursor, UNW_REG_SP, &sp) != 0)
            return;
        frame.pc = pc;
        frame.sp = sp;
        if (pc == 0 || !visit(&frame, arg) || !step(walker, pc, exact))
            return;
        exact = false; /* all others are return addresses */
    }
}

__attribute__((noinline)) void moat_unwind_here(moat_unwind_lookup *lookup,
                                                moat_unwind_visit *visit,
                                                void *arg)
{
    struct walker walker;
    unw_context_t context;

    walker.lookup = lookup;
    forget_if_changed();
    if (unw_getcontext(&context) != 0 ||
        unw_init_local(&walker.cursor, &context) != 0 ||
        unw_step(&walker.cursor) <= 0)
        return;
    walk(&walker, false, visit, arg);
}

void moat_unwind_from(const moat_regs *regs, bool exact,
                      moat_unwind_lookup *lookup, moat_unwind_visit *visit,
                      void *arg)
{
    struct walker walker;

    walker.lookup = lookup;
    forget_if_changed();
    context_from_regs(regs, &walker.context);
    if (unw_init_local2(&walker.cursor, &walker.context,
                        exact ? UNW_INIT_SIGNAL_FRAME : 0) == 0)
        walk(&walker, exact, visit, arg);
}

/* libunwind calls so the frame behind the signal's. */
bool moat_unwind_is_interrupted(const struct moat_unwind_frame *frame)
{
    return unw_is_signal_frame(frame->cursor) > 0;
}

void moat_unwind_regs(const struct moat_unwind_frame *frame, moat_regs *out)
{
    regs_from_cursor(frame->cursor, out);
}

bool moat_unwind_same_procedure(const struct moat_unwind_frame *frame,
                                uintptr_t pc)
{
    unw_proc_info_t info;

    return unw_get_proc_info(frame->cursor, &info) == 0 &&
           pc - info.start_ip < info.end_ip - info.start_ip;
}

bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    moat_regs regs;
    ucontext_t uc;
    unw_cursor_t cursor;
    unw_word_t found;

    memset(&regs, 0, sizeof regs);
    regs.pc = pc;
    context_from_regs(&regs, &uc);
    if (unw_init_local2(&cursor, &uc, UNW_INIT_SIGNAL_FRAME) != 0 ||
        unw_get_proc_name(&cursor, name, size, &found) != 0)
        return false;
    *offset = found;
    return true;
}
