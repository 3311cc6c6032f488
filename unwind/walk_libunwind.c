/*
 * walk_libunwind.c: what is asked of libunwind: steps from code that has no
 * unwind information in its file, by the debug information beside it or by a
 * guess; and names.
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

static uint64_t value_of(unw_cursor_t *cursor, unw_regnum_t number)
{
    unw_word_t value = 0;

    (void)unw_get_reg(cursor, number, &value);
    return value;
}

static void regs_from_cursor(unw_cursor_t *cursor, moat_regs *out)
{
    memset(out, 0, sizeof *out);
    out->pc = value_of(cursor, UNW_REG_IP);
    out->sp = value_of(cursor, UNW_REG_SP);
    out->fp = value_of(cursor, UNW_X86_64_RBP);
    out->rax = value_of(cursor, UNW_X86_64_RAX);
    out->rbx = value_of(cursor, UNW_X86_64_RBX);
    out->rcx = value_of(cursor, UNW_X86_64_RCX);
    out->rdx = value_of(cursor, UNW_X86_64_RDX);
    out->rsi = value_of(cursor, UNW_X86_64_RSI);
    out->rdi = value_of(cursor, UNW_X86_64_RDI);
    out->r8 = value_of(cursor, UNW_X86_64_R8);
    out->r9 = value_of(cursor, UNW_X86_64_R9);
    out->r10 = value_of(cursor, UNW_X86_64_R10);
    out->r11 = value_of(cursor, UNW_X86_64_R11);
    out->r12 = value_of(cursor, UNW_X86_64_R12);
    out->r13 = value_of(cursor, UNW_X86_64_R13);
    out->r14 = value_of(cursor, UNW_X86_64_R14);
    out->r15 = value_of(cursor, UNW_X86_64_R15);
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

/* --- questions ------------------------------------------------------------ */

static bool begin(unw_cursor_t *cursor, ucontext_t *context,
                  const moat_regs *regs, bool exact)
{
    forget_if_changed();
    context_from_regs(regs, context);
    return unw_init_local2(cursor, context,
                           exact ? UNW_INIT_SIGNAL_FRAME : 0) == 0;
}

bool moat_cursor_step_guessing(struct moat_cursor *cursor)
{
    unw_cursor_t theirs;
    ucontext_t context;
    moat_regs regs;

    moat_cursor_get(cursor, &regs);
    if (!begin(&theirs, &context, &regs, cursor->exact) ||
        unw_step(&theirs) <= 0)
        return false;
    regs_from_cursor(&theirs, &regs);
    moat_cursor_set(cursor, &regs, unw_is_signal_frame(&theirs) > 0);
    return true;
}

bool moat_unwind_same_procedure(uintptr_t pc, uintptr_t other)
{
    unw_cursor_t cursor;
    unw_proc_info_t info;
    ucontext_t context;
    moat_regs regs;

    memset(&regs, 0, sizeof regs);
    regs.pc = pc;
    return begin(&cursor, &context, &regs, false) &&
           unw_get_proc_info(&cursor, &info) == 0 &&
           other - info.start_ip < info.end_ip - info.start_ip;
}

bool moat_unwind_name(uintptr_t pc, char *name, size_t size, uintptr_t *offset)
{
    moat_regs regs;
    ucontext_t uc;
    unw_cursor_t cursor;
    unw_word_t found;

    memset(&regs, 0, sizeof regs);
    regs.pc = pc;
    if (!begin(&cursor, &uc, &regs, true) ||
        unw_get_proc_name(&cursor, name, size, &found) != 0)
        return false;
    *offset = found;
    return true;
}
