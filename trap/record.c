/*
 * record.c: fills in the record of a trap from its signal.
 *
 * Runs in signal context.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/record.h"

#include "stack/lent.h"
#include "trap/classify.h"
#include "trap/syscalls.h"

/*
 * Returns whether the kernel could not push the frame of another signal onto
 * the guest's stack. It then sends SIGSEGV with the code of a protection fault.
 * The number of an older protection fault makes the two look alike: near the
 * end of the guest's stack the frame is the likelier reason.
 */
static bool no_room_for_frame(int signo, const siginfo_t *info,
                              const void *ucontext,
                              const struct moat_slot *slot,
                              const struct moat_arch_fault *fault)
{
    moat_regs regs;

    if (signo != SIGSEGV || info->si_code != SI_KERNEL)
        return false;
    if (fault->exception == MOAT_EXCEPTION_OTHER)
        return moat_arch_frame_failed(ucontext);
    moat_arch_regs_from_context(ucontext, &regs);
    return fault->exception == MOAT_EXCEPTION_PROTECTION &&
           regs.sp >= slot->limit && regs.sp < slot->base &&
           moat_arch_frame_failed(ucontext);
}

/* A fault on another stack than the guest's is no overflow of it. */
static const struct moat_slot no_slot;

void moat_record_fill(int signo, const siginfo_t *info, const void *ucontext,
                      const struct co *co, bool in_host_call)
{
    struct moat_arch_fault fault = {MOAT_EXCEPTION_OTHER, MOAT_ACCESS_NONE, 0};
    struct moat_trap_record *record = moat_trap_record_of(co);
    const struct moat_slot *slot = in_host_call ? &no_slot : &co->slot;

    moat_arch_regs_from_context(ucontext, &record->regs);
    moat_arch_fpu_from_context(ucontext, record->fpu);
    if (!moat_signal_was_sent(info))
        moat_arch_fault_from_context(ucontext, info, &fault);
    if (no_room_for_frame(signo, info, ucontext, slot, &fault)) {
        fault.exception = MOAT_EXCEPTION_SIGNAL_FRAME;
        fault.access = MOAT_ACCESS_WRITE;
        fault.address = record->regs.sp;
    }
    moat_calls_of(co)->performing = false;
    record->signo = signo;
    record->code = info->si_code;
    record->access = fault.access;
    record->address = fault.address;
    record->region = MOAT_REGION_UNKNOWN;
    record->user_code = 0;
    record->passed = (struct moat_limit_passed){MOAT_LIMIT_NONE, 0, 0};
    if (signo == SIGSYS) {
        record->passed.limit = MOAT_LIMIT_SYSCALL;
        moat_calls_describe(info, ucontext, record);
    }
    record->lock = NULL;
    record->in_host_call = in_host_call;
    if (fault.exception == MOAT_EXCEPTION_PAGE ||
        fault.exception == MOAT_EXCEPTION_SIGNAL_FRAME)
        record->region = moat_region_at(fault.address, &co->slot);
    record->kind = moat_trap_classify(
        signo, &fault, in_host_call ? MOAT_REGION_UNKNOWN : record->region,
        &record->regs, slot);
}
