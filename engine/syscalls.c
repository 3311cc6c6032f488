/*
 * syscalls.c: system calls of guests, decided by their hosts.
 *
 * The handler of the dispatched call leads the guest here, with its registers
 * saved on its stack. So a decision runs in ordinary context: as a host call,
 * on the stack of the resumer. A guest inside a guest needs the consent of both
 * policies, the inner one first. The outer one is asked from the stack of the
 * guest that it is for, as for a call of that guest's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/syscalls.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/host_call.h"
#include "engine/nointr.h"
#include "engine/options.h"
#include "stack/annotate.h"
#include "switch/switch.h"
#include "sys/clock.h"
#include "sys/filter.h"
#include "sys/refusal.h"
#include "sys/size.h"
#include "trap/policy.h"
#include "trap/preempt.h"
#include "trap/recovery.h"
#include "trap/syscalls.h"

/* Not inlined: the address of errno is looked up after the host call. */
static __attribute__((noinline)) void set_errno(int value)
{
    errno = value;
}

/* --- the decision --------------------------------------------------------- */

struct question {
    struct co *co; /* it is asked on this one's stack                         */
    moat_syscall *call;
    moat_syscall_verdict verdict;
};

static void ask(struct question *question);

/* Runs on the stack of the resumer. */
static void *answer(void *arg)
{
    struct question *question = arg;
    struct co *co = question->co, *resumer = resumer_of(co);
    const moat_syscall_policy *policy = &moat_calls_of(co)->policy;

    question->verdict = MOAT_SYSCALL_PERFORM;
    if ((co->control.flags & CO_FILTERED) != 0)
        question->verdict =
            policy->decide != NULL
                ? policy->decide(handle_of(co), question->call, policy->arg)
                : MOAT_SYSCALL_TRAP;
    if (question->verdict == MOAT_SYSCALL_PERFORM &&
        moat_filtered_from(resumer) != NULL) {
        question->co = resumer;
        ask(question);
    }
    return NULL;
}

static void ask(struct question *question)
{
    struct moat_host_call *call = &cold_of(question->co)->host_call;

    memset(call, 0, sizeof *call);
    call->co = handle_of(question->co);
    call->fn = answer;
    call->arg = question;
    (void)moat_host_call_run(call);
}

/* --- the call ------------------------------------------------------------- */

/* The record was filled in when the call was dispatched. */
static MOAT_NORETURN void stop(struct co *co)
{
    struct moat_recovery *recovery = moat_trap_recovery(co);

    if (moat_calls_of(co)->may_trap) {
        co->control.state = MOAT_MARK_TRAPPED;
        moat_switch_leave(&co->control, NULL, MOAT_EVENT_TRAP);
    }
    if (recovery == NULL)
        abort();
    moat_switch_leave(&recovery->landing, NULL, MOAT_EVENT_TRAP);
}

/* Outside the section: a deadline stops the guest in a call that blocks. */
static long perform(struct co *co, const moat_syscall *call)
{
    struct moat_calls *calls = moat_calls_of(co);
    long result;

    moat_guest_nointr_leave();
    calls->performing = true;
    (void)moat_filter_pause();
    result = moat_arch_syscall(call);
    moat_filter_performed(call);
    calls->performing = false;
    moat_guest_nointr_enter();
    return result;
}

/* A guest that does little but make calls is rarely found in its own code, so
 * its slice ends here, too. Its registers are saved already. */
static void give_way(struct co *co)
{
    struct moat_calls *calls = moat_calls_of(co);
    unsigned char filter = moat_filter_pause();
    uint64_t look_at;
    bool over = moat_slice_is_over(co, moat_clock_ns(), &look_at) &&
                moat_policy_allows(co, calls->words.pc);

    moat_filter_restore(filter);
    if (!over || co->notrap != 0 || co->nointr != 0)
        return;
    moat_preemption_of(co)->saved_errno = calls->saved_errno;
    moat_preempt_begin(moat_preemption_of(co), UINTPTR_MAX);
    moat_preempt_suspend();
}

/* Runs on the guest's stack, instead of its system call. The struct of the
 * question is not on it: a host that reads the stack of its guest finds what
 * the guest left there. */
static MOAT_NO_SANITIZE void decide(void)
{
    struct co *co = moat_running();
    struct moat_calls *calls = moat_calls_of(co);
    moat_syscall call = calls->call;
    struct question question = {co, &call, MOAT_SYSCALL_TRAP};
    bool waits;

    moat_guest_nointr_enter();
    ask(&question);
    if (question.verdict == MOAT_SYSCALL_PERFORM &&
        moat_arch_may_perform(&call) && moat_filter_survives(&call)) {
        call.result = perform(co, &call);
    } else if (question.verdict != MOAT_SYSCALL_EMULATE) {
        moat_guest_nointr_leave();
        (void)moat_filter_pause();
        stop(co);
    }
    moat_arch_preempted_result(&calls->words, call.result);
    waits = moat_tls.poll != 0;
    moat_guest_nointr_end();
    if (waits)
        give_way(co);
    set_errno(calls->saved_errno);
}

/* Of the guest's stack: this code's frames, and a host call. */
#define DECIDE_BYTES ((size_t)2 << 10)

void moat_syscalls_serve(void)
{
    moat_calls_decide = decide;
    moat_calls_decide_bytes = DECIDE_BYTES + moat_host_call_stack();
}

/* --- policies ------------------------------------------------------------- */

bool moat_syscalls_are_hidden(void)
{
    return moat_annotate_emulated() || moat_annotate_copies_context();
}

struct moat_filter_scope moat_syscalls_scope(const moat_syscall_policy *policy)
{
    const struct moat_filter_scope scope = {
        (uintptr_t)policy->code, (uintptr_t)policy->code + policy->code_bytes};

    return scope;
}

/* A guest may jump to 32-bit code in such a range, whose `syscall` the kernel
 * takes for one of the vDSO's. */
#define CODE_32_END ((uintptr_t)1 << 32)

/* One address after the range is looked at, too. */
static moat_status check_code(const moat_syscall_policy *policy)
{
    uintptr_t begin = (uintptr_t)policy->code, end;

    if (begin == 0 && policy->code_bytes == 0)
        return MOAT_OK;
    if (begin == 0 || policy->code_bytes == 0 ||
        !moat_size_add(begin, policy->code_bytes, &end) || end == UINTPTR_MAX)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "limits->syscalls->code is %x and code_bytes "
                                  "%u: no range of addresses",
                                  begin, policy->code_bytes);
    if (begin < CODE_32_END)
        return moat_refuse_values(MOAT_E_INVAL,
                                  "limits->syscalls->code is %x: it must be at "
                                  "least %x, since the calls of 32-bit code "
                                  "would not be seen",
                                  begin, CODE_32_END);
    return MOAT_OK;
}

moat_status moat_syscalls_check(const moat_syscall_policy *asked,
                                moat_syscall_policy *out)
{
    moat_status status =
        moat_options_copy("limits->syscalls", out, sizeof *out, asked,
                          offsetof(moat_syscall_policy, code));

    if (status == MOAT_OK)
        status = check_code(out);

    if (status != MOAT_OK)
        return status;
    if (moat_syscalls_are_hidden())
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "limits->syscalls must be NULL under Valgrind and "
                           "ThreadSanitizer");
    /* Its switches may be system calls themselves. */
    if (MOAT_SWITCH_PORTABLE)
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "limits->syscalls must be NULL: the library was "
                           "built with another MOAT_SWITCH than native");
    if (out->decide != NULL && !moat_arch_can_preempt())
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "limits->syscalls->decide must be NULL: this CPU "
                           "cannot save a guest's registers (XSAVE)");
    return MOAT_OK;
}

void moat_syscalls_set(struct co *co, const struct spec *spec)
{
    if (spec->limits.syscalls == NULL)
        return;
    co->control.flags |= CO_FILTERED;
    moat_calls_of(co)->policy = spec->syscalls;
    moat_calls_of(co)->scope = moat_syscalls_scope(&spec->syscalls);
}

/* A fork that the library has not seen leaves the guest without a filter. */
moat_status moat_syscalls_ready(struct co *co, struct co *resumer)
{
    struct co *outer = moat_filtered_from(resumer);

    if ((co->control.flags & CO_FILTERED) == 0)
        return MOAT_OK;
    if (outer != NULL && !moat_scopes_equal(&moat_calls_of(outer)->scope,
                                            &moat_calls_of(co)->scope))
        return moat_refuse(MOAT_E_UNSUPPORTED,
                           "limits->syscalls: a guest that waits for this one "
                           "has a policy for other code");
    return moat_filter_arm(&moat_calls_of(co)->scope);
}

void moat_syscalls_forget(struct co *co)
{
    if ((co->control.flags & CO_FILTERED) != 0)
        moat_calls_of(co)->count = 0;
}
