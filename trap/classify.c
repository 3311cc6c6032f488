/*
 * classify.c: from a CPU's exception to a kind of trap.
 *
 * A pure function of its arguments: no globals, no system calls. Runs inside
 * the signal handler, and in unit tests without one. The signal's si_code is
 * not used: guards made by MADV_GUARD_INSTALL and by PROT_NONE differ in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/classify.h"

#include <signal.h>

/* An access below this is taken for a null pointer plus the offset of a field.
 * Linux maps nothing there by default (vm.mmap_min_addr). */
#define NULL_BYTES 65536u

/* A frame that jumps over the guard by no more than this is taken for an
 * overflow. */
#define JUMP_BYTES ((uintptr_t)64 << 20)

/* How far below the stack pointer an access may lie and still belong to the
 * frame: the red zone, and what a push of some registers writes below it. */
#define BELOW_SP_BYTES (MOAT_ARCH_RED_ZONE + 128u)

/* Returns whether a frame jumped over the guard: the stack pointer is below the
 * stack, and the access is in the frame that begins there. */
static bool jumped_guard(uintptr_t address, const moat_regs *regs,
                         const struct moat_slot *slot)
{
    return regs->sp < slot->limit && slot->limit - regs->sp < JUMP_BYTES &&
           address < slot->limit && address >= regs->sp - BELOW_SP_BYTES;
}

/* A signal frame is some KiB large, as wide as the CPU's registers. */
#define FRAME_BYTES ((uintptr_t)64 << 10)

static bool near_limit(uintptr_t sp, const struct moat_slot *slot)
{
    return sp >= slot->guard && sp < slot->limit + FRAME_BYTES;
}

static moat_trap_kind classify_page_fault(int signo,
                                          const struct moat_arch_fault *fault,
                                          moat_region region,
                                          const moat_regs *regs,
                                          const struct moat_slot *slot)
{
    bool exec = fault->access == MOAT_ACCESS_EXEC;

    if (signo == SIGBUS)
        return MOAT_TRAP_BUS;
    if (!exec && region == MOAT_REGION_OWN_GUARD)
        return MOAT_TRAP_STACK_OVERFLOW;
    if (fault->address < NULL_BYTES)
        return MOAT_TRAP_NULL;
    if (exec)
        return MOAT_TRAP_EXEC;
    if (jumped_guard(fault->address, regs, slot))
        return MOAT_TRAP_STACK_OVERFLOW;
    return MOAT_TRAP_MEMORY;
}

static moat_trap_kind classify_by_signal(int signo)
{
    switch (signo) {
    case SIGBUS:
        return MOAT_TRAP_BUS;
    case SIGILL:
        return MOAT_TRAP_ILLEGAL;
    case SIGFPE:
        return MOAT_TRAP_ARITHMETIC;
    case SIGTRAP:
        return MOAT_TRAP_BREAKPOINT;
    case SIGABRT:
        return MOAT_TRAP_ABORT;
    case SIGSYS:
        return MOAT_TRAP_SYSCALL;
    default:
        return MOAT_TRAP_MEMORY;
    }
}

moat_trap_kind moat_trap_classify(int signo,
                                  const struct moat_arch_fault *fault,
                                  moat_region region, const moat_regs *regs,
                                  const struct moat_slot *slot)
{
    switch (fault->exception) {
    case MOAT_EXCEPTION_PAGE:
        return classify_page_fault(signo, fault, region, regs, slot);
    case MOAT_EXCEPTION_SIGNAL_FRAME:
        return near_limit(regs->sp, slot) ? MOAT_TRAP_STACK_OVERFLOW
                                          : MOAT_TRAP_MEMORY;
    case MOAT_EXCEPTION_PROTECTION:
        return MOAT_TRAP_MEMORY;
    case MOAT_EXCEPTION_FETCH:
        return MOAT_TRAP_EXEC;
    case MOAT_EXCEPTION_ALIGNMENT:
        return MOAT_TRAP_ALIGNMENT;
    case MOAT_EXCEPTION_PRIVILEGED:
    case MOAT_EXCEPTION_OPCODE:
        return MOAT_TRAP_ILLEGAL;
    case MOAT_EXCEPTION_DIVIDE:
    case MOAT_EXCEPTION_FLOAT:
        return MOAT_TRAP_ARITHMETIC;
    case MOAT_EXCEPTION_DEBUG:
        return MOAT_TRAP_BREAKPOINT;
    case MOAT_EXCEPTION_OTHER:
        break;
    }
    return classify_by_signal(signo);
}
