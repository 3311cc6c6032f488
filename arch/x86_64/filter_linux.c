/*
 * filter_linux.c: leads filtered code to filter.S, and reads a dispatched
 * system call from its signal.
 *
 * Everything up to moat_arch_call_again runs inside handlers.
 *
 * Sources: kernel/entry/common.c and arch/x86/entry/entry_64.S of Linux (what a
 * system call does to the registers), Documentation/admin-guide/
 * syscall-user-dispatch.rst (the signal: the registers are those of the call,
 * and the pc is after it).
 *
 * SPDX-License-Identifier: MIT
 */
#include <asm/prctl.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "arch/syscalls.h"
#include "arch/x86_64/layout.h"

/* syscall, int $0x80 and sysenter all have two bytes. */
#define CALL_BYTES 2

/* Later than the headers of some C libraries. */
#ifndef SYS_clone3
#    define SYS_clone3 435
#endif
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#    define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* Set in the numbers of the x32 ABI. */
#define X32_BIT 0x40000000

/* REG_CSGSFS has cs in its lowest 16 bits. */
#define CS_BITS     0xffff
#define CODE_64_BIT 0x33

/* From the CFA of a preempted guest (preempt.S). */
#define PREEMPTED_RAX 168

#define WORD(field, offset)                                              \
    _Static_assert(offsetof(struct moat_arch_filtered, field) == offset, \
                   "layout.h")
WORD(bx, FILTERED_BX);
WORD(pc, FILTERED_PC);
WORD(sp, FILTERED_SP);
WORD(selector, FILTERED_SELECTOR);
_Static_assert(offsetof(moat_syscall, number) == CALL_NUMBER &&
                   offsetof(moat_syscall, args) == CALL_ARGS,
               "layout.h");

extern const char moat_arch_filtered[], moat_arch_filtered_set[];
extern const char moat_arch_filtered_call[];
extern const char moat_arch_landing[]; /* root.S */
extern const char moat_arch_preempted[];

static greg_t *gregs(void *ucontext)
{
    return ((ucontext_t *)ucontext)->uc_mcontext.gregs;
}

static greg_t reg(const void *ucontext, int number)
{
    return ((const ucontext_t *)ucontext)->uc_mcontext.gregs[number];
}

/* The code to go to is 64-bit code. What was interrupted should be, too: else
 * the guest continues in the wrong mode, and faults sooner or later. */
static void lead_to(greg_t *g, const char *code,
                    struct moat_arch_filtered *words)
{
    words->bx = (uintptr_t)g[REG_RBX];
    words->pc = (uintptr_t)g[REG_RIP];
    words->sp = (uintptr_t)g[REG_RSP];
    g[REG_RBX] = (greg_t)(uintptr_t)words;
    g[REG_RIP] = (greg_t)(uintptr_t)code;
    g[REG_CSGSFS] = (g[REG_CSGSFS] & ~(greg_t)CS_BITS) | CODE_64_BIT;
}

void moat_arch_filter_return(void *ucontext, struct moat_arch_filtered *words)
{
    greg_t *g = gregs(ucontext);

    lead_to(g, moat_arch_filtered, words);
    g[REG_RSP] -= MOAT_ARCH_RED_ZONE;
}

bool moat_arch_filter_undo(void *ucontext,
                           const struct moat_arch_filtered *words)
{
    greg_t *g = gregs(ucontext);
    uintptr_t pc = (uintptr_t)g[REG_RIP];

    if (pc < (uintptr_t)moat_arch_filtered ||
        pc >= (uintptr_t)moat_arch_filtered_set)
        return false;
    g[REG_RBX] = (greg_t)words->bx;
    g[REG_RIP] = (greg_t)words->pc;
    g[REG_RSP] = (greg_t)words->sp;
    return true;
}

void moat_arch_filter_call(void *ucontext, struct moat_arch_filtered *words)
{
    lead_to(gregs(ucontext), moat_arch_filtered_call, words);
}

bool moat_arch_is_led_away(const void *ucontext)
{
    uintptr_t pc = (uintptr_t)reg(ucontext, REG_RIP);

    return pc == (uintptr_t)moat_arch_landing ||
           pc == (uintptr_t)moat_arch_preempted;
}

bool moat_arch_call_from_context(const siginfo_t *info, const void *ucontext,
                                 moat_syscall *out)
{
    static const int args[] = {REG_RDI, REG_RSI, REG_RDX,
                               REG_R10, REG_R8,  REG_R9};

    out->number = info->si_syscall;
    out->result = 0;
    for (int i = 0; i < 6; i++)
        out->args[i] = (uint64_t)reg(ucontext, args[i]);
    return info->si_arch == AUDIT_ARCH_X86_64 &&
           (info->si_syscall & X32_BIT) == 0;
}

void moat_arch_call_failed(void *ucontext, int error)
{
    gregs(ucontext)[REG_RAX] = -error;
}

void moat_arch_call_again(void *ucontext)
{
    gregs(ucontext)[REG_RIP] -= CALL_BYTES;
}

/* The return address of the handler, which was popped, lies below it. */
void *moat_arch_context_to_restore(const void *ucontext)
{
    return (void *)(uintptr_t)reg(ucontext, REG_RSP);
}

void moat_arch_preempted_result(const struct moat_arch_preempted *words,
                                long result)
{
    *(long *)(words->sp - PREEMPTED_RAX) = result;
}

uint32_t moat_arch_audit(void)
{
    return AUDIT_ARCH_X86_64;
}

/* Their number alone decides. */
static const long never[] = {SYS_clone,          SYS_clone3,
                             SYS_fork,           SYS_vfork,
                             SYS_rt_sigreturn,   SYS_io_uring_setup,
                             SYS_io_uring_enter, SYS_io_uring_register};

bool moat_arch_may_perform(const moat_syscall *call)
{
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if (call->number == never[i])
            return false;
    }
    switch (call->number) {
    case SYS_prctl:
        return (int)call->args[0] != PR_SET_SYSCALL_USER_DISPATCH;
    case SYS_sigaltstack:
        return call->args[0] == 0;
    case SYS_rt_sigaction:
        return (int)call->args[0] != SIGSYS || call->args[1] == 0;
    case SYS_arch_prctl:
        return (int)call->args[0] != ARCH_SET_FS;
    default:
        return true;
    }
}
