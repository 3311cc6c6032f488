/*
 * policy.c: in which code may a coroutine be cut?
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/internal.h"

bool moat_policy_allows(const struct moat_activation *activation, uintptr_t pc)
{
    switch (activation->policy) {
    case MOAT_CO_RECOVER_ANYWHERE:
        return true;
    case MOAT_CO_RECOVER_CODE:
        return moat_codes_cover(pc);
    default:
        return false;
    }
}

/* A jump to nowhere has left the code that made it. What a call has left is its
 * return address; behind a tail jump that is the caller's. */
static bool came_from_code(const siginfo_t *info, const void *ucontext,
                           const struct moat_slot *slot, moat_regs *regs)
{
    struct moat_arch_fault fault;

    if (info->si_code <= 0)
        return false;
    moat_arch_fault_from_context(ucontext, (uintptr_t)info->si_addr, &fault);
    return fault.access == MOAT_ACCESS_EXEC && fault.address == regs->pc &&
           moat_arch_undo_call(regs, slot->limit, slot->base) &&
           moat_codes_cover(regs->pc - 1);
}

bool moat_policy_allows_fault(const struct moat_activation *activation,
                              const siginfo_t *info, const void *ucontext)
{
    moat_regs regs;

    if (activation->policy == MOAT_CO_RECOVER_ANYWHERE)
        return true;
    moat_arch_regs_from_context(ucontext, &regs);
    if (moat_policy_allows(activation, regs.pc))
        return true;
    return activation->policy == MOAT_CO_RECOVER_CODE &&
           came_from_code(info, ucontext, &activation->slot, &regs);
}
