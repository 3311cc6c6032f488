/*
 * context.c: reads the machine context of a signal handler as far as POSIX
 * describes it, and the CPU's exception from the siginfo_t.
 *
 * Runs inside handlers: only async-signal-safe calls, no lock, no allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "arch/generic/port.h"

/* --- registers ------------------------------------------------------------ */

static uintptr_t word_at(const void *ucontext, size_t offset)
{
    uintptr_t word = 0;

    if (offset != 0)
        memcpy(&word, (const char *)ucontext + offset, sizeof word);
    return word;
}

void moat_arch_regs_from_context(const void *ucontext, moat_regs *out)
{
    out->pc = word_at(ucontext, moat_generic_pc_at);
    out->sp = word_at(ucontext, moat_generic_sp_at);
    out->fp = 0;
}

uintptr_t moat_arch_sp_from_context(const void *ucontext)
{
    return word_at(ucontext, moat_generic_sp_at);
}

void moat_arch_fpu_from_context(const void *ucontext,
                                unsigned char out[MOAT_ARCH_FPU_BYTES])
{
    const mcontext_t *machine = &((const ucontext_t *)ucontext)->uc_mcontext;
    size_t bytes = sizeof *machine < MOAT_ARCH_FPU_BYTES ? sizeof *machine
                                                         : MOAT_ARCH_FPU_BYTES;

    memset(out, 0, MOAT_ARCH_FPU_BYTES);
    memcpy(out, machine, bytes);
}

/* What a guest may set that harms a handler is the CPU's. */
void moat_arch_enter_handler(void)
{
}

/* --- faults --------------------------------------------------------------- */

static void read_segv(const void *ucontext, const siginfo_t *info,
                      struct moat_arch_fault *out)
{
    out->exception = MOAT_EXCEPTION_PAGE;
    out->address = (uintptr_t)info->si_addr;
    if (moat_generic_pc_at != 0 &&
        out->address == word_at(ucontext, moat_generic_pc_at))
        out->access = MOAT_ACCESS_EXEC;
}

static void read_bus(const siginfo_t *info, struct moat_arch_fault *out)
{
    if (info->si_code == BUS_ADRALN) {
        out->exception = MOAT_EXCEPTION_ALIGNMENT;
        return;
    }
    out->exception = MOAT_EXCEPTION_PAGE;
    out->address = (uintptr_t)info->si_addr;
}

/* si_code names the exception (sigaction(2)); which access it was, no portable
 * way tells. */
void moat_arch_fault_from_context(const void *ucontext, const siginfo_t *info,
                                  struct moat_arch_fault *out)
{
    out->exception = MOAT_EXCEPTION_OTHER;
    out->access = MOAT_ACCESS_NONE;
    out->address = 0;
    /* The kernel's own code: no address, as far as is known without a port. */
    if (info->si_code == SI_KERNEL &&
        (info->si_signo == SIGSEGV || info->si_signo == SIGBUS))
        out->exception = MOAT_EXCEPTION_PROTECTION;
    else if (info->si_signo == SIGSEGV)
        read_segv(ucontext, info, out);
    else if (info->si_signo == SIGBUS)
        read_bus(info, out);
    else if (info->si_signo == SIGFPE)
        out->exception =
            info->si_code == FPE_INTDIV || info->si_code == FPE_INTOVF
                ? MOAT_EXCEPTION_DIVIDE
                : MOAT_EXCEPTION_FLOAT;
    else if (info->si_signo == SIGILL)
        out->exception =
            info->si_code == ILL_PRVOPC || info->si_code == ILL_PRVREG
                ? MOAT_EXCEPTION_PRIVILEGED
                : MOAT_EXCEPTION_OPCODE;
    else if (info->si_signo == SIGTRAP)
        out->exception = MOAT_EXCEPTION_DEBUG;
}

/* The context, siginfo and more: at least. */
#define SIGNAL_FRAME_BYTES (sizeof(ucontext_t) + sizeof(siginfo_t))

#define PAGE_BYTES 4096u /* no CPU of Linux has a smaller one */

bool moat_arch_frame_failed(const void *ucontext)
{
    uintptr_t high = moat_arch_sp_from_context(ucontext) - MOAT_ARCH_RED_ZONE;
    uintptr_t word;
    bool fits = moat_arch_peek(high & ~(sizeof word - 1), &word);

    for (uintptr_t below = SIGNAL_FRAME_BYTES; fits && below > sizeof word;
         below -= below < PAGE_BYTES ? below : PAGE_BYTES)
        fits = moat_arch_peek((high - below) & ~(sizeof word - 1), &word);
    return !fits;
}

/* Which thread has sent it, no portable way tells: what this process has sent
 * itself counts as sent by this thread (raise, abort). */
bool moat_arch_context_sent_signal(const void *ucontext, int signo, pid_t pid,
                                   pid_t tid)
{
    (void)ucontext;
    (void)signo;
    (void)pid;
    (void)tid;
    return true;
}

/* --- frames --------------------------------------------------------------- */

/* The interrupted stack pointer is above the frame, and on that stack. */
bool moat_arch_frame_is_whole(uintptr_t context, uintptr_t end)
{
    uintptr_t sp;

    return moat_arch_peek(context + moat_generic_sp_at, &sp) &&
           sp > context + MOAT_ARCH_FRAME_BYTES && sp <= end;
}
