/*
 * unknown.c: what no portable way does. The functions that return answer "no";
 * what would need the others is refused before (docs/backends.md).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "arch/core.h"
#include "arch/syscalls.h"

/* --- code ----------------------------------------------------------------- */

bool moat_arch_undo_call(moat_regs *regs, uintptr_t limit, uintptr_t base)
{
    (void)regs;
    (void)limit;
    (void)base;
    return false;
}

uintptr_t moat_arch_find_jump(uintptr_t at, uintptr_t end, uintptr_t *target)
{
    (void)at;
    (void)end;
    *target = 0;
    return 0;
}

/* --- guests that are preempted -------------------------------------------- */

bool moat_arch_can_preempt(void)
{
    return false;
}

size_t moat_arch_preempt_bytes(const void *ucontext)
{
    (void)ucontext;
    return 0;
}

void moat_arch_preempt(void *ucontext, struct moat_arch_preempted *words)
{
    (void)ucontext;
    (void)words;
    abort();
}

bool moat_arch_is_preempting(const moat_regs *regs)
{
    (void)regs;
    return false;
}

/* --- system calls of guests ----------------------------------------------- */

uint32_t moat_arch_audit(void)
{
    return 0;
}

void moat_arch_call_failed(void *ucontext, int error)
{
    (void)ucontext;
    (void)error;
    abort();
}

void moat_arch_filter_return(void *ucontext, struct moat_arch_filtered *words)
{
    (void)ucontext;
    (void)words;
    abort();
}

bool moat_arch_filter_undo(void *ucontext,
                           const struct moat_arch_filtered *words)
{
    (void)ucontext;
    (void)words;
    return false;
}

void moat_arch_filter_call(void *ucontext, struct moat_arch_filtered *words)
{
    (void)ucontext;
    (void)words;
    abort();
}

bool moat_arch_call_from_context(const siginfo_t *info, const void *ucontext,
                                 moat_syscall *out)
{
    (void)info;
    (void)ucontext;
    out->number = 0;
    return false;
}

void moat_arch_call_again(void *ucontext)
{
    (void)ucontext;
    abort();
}

void *moat_arch_context_to_restore(const void *ucontext)
{
    (void)ucontext;
    return NULL;
}

void moat_arch_preempted_result(const struct moat_arch_preempted *words,
                                long result)
{
    (void)words;
    (void)result;
    abort();
}

bool moat_arch_may_perform(const moat_syscall *call)
{
    (void)call;
    return false;
}

long moat_arch_syscall(const moat_syscall *call)
{
    (void)call;
    abort();
}

const char *moat_arch_syscall_name(long number)
{
    (void)number;
    return "?";
}

/* --- core files ----------------------------------------------------------- */

void moat_arch_core_regs(const moat_regs *regs, elf_gregset_t out)
{
    (void)regs;
    memset(out, 0, sizeof(elf_gregset_t));
    abort();
}

void moat_arch_core_fpregs(const unsigned char image[MOAT_ARCH_FPU_BYTES],
                           elf_fpregset_t *out)
{
    (void)image;
    memset(out, 0, sizeof *out);
    abort();
}

void moat_arch_core_resumer(moat_co *copy, const moat_regs *frame)
{
    (void)copy;
    (void)frame;
    abort();
}

uintptr_t moat_arch_thread_pointer(void)
{
    return 0;
}
