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

#include <string.h>
#include <ucontext.h>

#include "unwind/unwind.h"

bool moat_unwind_available(void)
{
    return true;
}

static void walk(unw_cursor_t *cursor, moat_unwind_visit *visit, void *arg)
{
    struct moat_unwind_frame frame = {0, 0, cursor};
    unw_word_t pc, sp;

    do {
        if (unw_get_reg(cursor, UNW_REG_IP, &pc) != 0 ||
            unw_get_reg(cursor, UNW_REG_SP, &sp) != 0)
            return;
        frame.pc = pc;
        frame.sp = sp;
        if (pc == 0 || !visit(&frame, arg))
            return;
    } while (unw_step(cursor) > 0);
}

__attribute__((noinline)) void moat_unwind_here(moat_unwind_visit *visit,
                                                void *arg)
{
    unw_context_t context;
    unw_cursor_t cursor;

    if (unw_getcontext(&context) != 0 ||
        unw_init_local(&cursor, &context) != 0 || unw_step(&cursor) <= 0)
        return;
    walk(&cursor, visit, arg);
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

void moat_unwind_from(const moat_regs *regs, bool exact,
                      moat_unwind_visit *visit, void *arg)
{
    ucontext_t uc;
    unw_cursor_t cursor;

    context_from_regs(regs, &uc);
    if (unw_init_local2(&cursor, &uc, exact ? UNW_INIT_SIGNAL_FRAME : 0) == 0)
        walk(&cursor, visit, arg);
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
