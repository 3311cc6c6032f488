/*
 * policy.c: in which code a coroutine may be stopped by a trap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/policy.h"
#include "registry/code.h"

bool moat_policy_allows(const struct co *co, uintptr_t pc)
{
    switch (recovery_of(co)) {
    case MOAT_CO_RECOVER_ANYWHERE:
        return true;
    case MOAT_CO_RECOVER_CODE:
        return moat_codes_cover(pc);
    default:
        return false;
    }
}

/* Returns whether registered code jumped to an address without code. A call has
 * left its return address there; after a tail jump it is the caller's. */
static bool came_from_code(const siginfo_t *info, const void *ucontext,
                           const struct moat_slot *slot, moat_regs *regs)
{
    struct moat_arch_fault fault;

    if (info->si_code <= 0)
        return false;
    moat_arch_fault_from_context(ucontext, info, &fault);
    return fault.access == MOAT_ACCESS_EXEC && fault.address == regs->pc &&
           moat_arch_undo_call(regs, slot->limit, slot->base) &&
           moat_codes_cover(regs->pc - 1);
}

bool moat_policy_allows_fault(const struct co *co, const siginfo_t *info,
                              const void *ucontext)
{
    moat_regs regs;

    if (recovery_of(co) == MOAT_CO_RECOVER_ANYWHERE)
        return true;
    moat_arch_regs_from_context(ucontext, &regs);
    if (moat_policy_allows(co, regs.pc))
        return true;
    return recovery_of(co) == MOAT_CO_RECOVER_CODE &&
           came_from_code(info, ucontext, &co->slot, &regs);
}
