/*
 * deadline.c: what the signal of a thread's timer does.
 *
 * The timer runs on real time. When it fires, the handler starts the clocks of
 * the guests that it finds running (guest_clock.h), reads the thread's CPU time
 * if one of them has a limit of it, and sets the timer again: for the end of
 * the limit that may pass first. If it finds no limited guest it stops the
 * timer.
 *
 * A signal that finds the thread in host code is retried shortly after.
 *
 * All state is thread-local and shared only with this thread's handler; each
 * word is read and written whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "stack/annotate.h"
#include "sys/clock.h"
#include "sys/refusal.h"
#include "sys/timer.h"
#include "trap/alarm.h"
#include "trap/altstack.h"
#include "trap/asides.h"
#include "trap/chain.h"
#include "trap/coroutine.h"
#include "trap/cpu_clock.h"
#include "trap/crew.h"
#include "trap/deadline.h"
#include "trap/guest_clock.h"
#include "trap/handler.h"
#include "trap/host_handler.h"
#include "trap/policy.h"
#include "trap/preempt.h"
#include "trap/recovery.h"
#include "trap/stack_owner.h"
#include "trap/syscalls.h"
#include "trap/watch.h"

#define NEVER MOAT_CLOCK_END

/* How soon to look again. RETRY: the signal came in the few instructions of a
 * switch, or in a handler of the host's. SECTION_RETRY: it came in host code,
 * in code that the policy spares, or in a section; a section's end looks by
 * itself but may never come. */
#define RETRY_NS         50000u
#define SECTION_RETRY_NS 1000000u

#define MAX_WAITS 20

/* 0: not installed. Written under the engine's lock. */
static int deadline_signo;

/* --- the signal --------------------------------------------------------------
 */

static void stop_guest(struct co *co, const siginfo_t *info, void *ucontext,
                       const moat_regs *regs)
{
    struct moat_trap_record *record = moat_trap_record_of(co);

    moat_trap_record_clear(record);
    moat_calls_of(co)->performing = false;
    record->regs = *regs;
    moat_arch_fpu_from_context(ucontext, record->fpu);
    record->kind = MOAT_TRAP_DEADLINE;
    record->signo = deadline_signo;
    record->code = info->si_code;
    moat_alarm_note(record);
    moat_trap_stop(co, ucontext);
}

/* Returns the guest that can be stopped; NULL: there is none, or the thread is
 * on the stack of another. */
static struct co *find_guest(const void *ucontext, uintptr_t sp)
{
    struct co *co = moat_running();

    /* Another copy's guest inside this one takes its time. */
    if (co != NULL &&
        !moat_copies_run_inside(moat_altstack_own(), co, ucontext))
        co = moat_stack_owner(co, sp);
    if (co != NULL && co->recovers && co->nointr == 0)
        moat_recovery_settle(co, sp);
    return co;
}

/* Bit 0 of the thread's word sends the guest's next switch to the slow path,
 * where what waits ends. */
static void note_waiting(void)
{
    const struct co *co = moat_running();

    moat_tls.poll = 1;
    if (co != NULL && moat_is_entered(co))
        MOAT_TLS_WRITE_CURRENT(MOAT_TLS_READ(MOAT_TLS_CURRENT) | 1);
}

/* Of a guest that leaves: when to look at those that wait for it. */
static uint64_t look_at_outer(const struct co *left, uint64_t now)
{
    uint64_t look_at;

    if (moat_guest_clock_is_over(moat_guest_clock_find(resumer_of(left)), now,
                                 &look_at)) {
        moat_tls.poll = 1;
        look_at = moat_later_by(now, RETRY_NS);
    }
    return moat_earlier(look_at, moat_slices_look(resumer_of(left), now));
}

/* The guest is being entered, but the thread is still on its resumer's stack.
 * To stop the resumer there would leave the guest entered for ever. It looks
 * the same if the resumer has left the guest by a longjmp: then not for ever.
 */
static bool is_entering(const moat_regs *regs)
{
    const struct co *co = moat_running();

    if (moat_stack_is_on(co, regs->sp) ||
        !moat_switch_is_entering(handle_of(co), regs)) {
        moat_alarm.waited = 0;
        return false;
    }
    return ++moat_alarm.waited < MAX_WAITS;
}

/* Returns after how long to try again to interrupt the guest; 0: it can be
 * interrupted where it is. */
static uint64_t must_wait(struct co *co, const moat_regs *regs, void *ucontext,
                          uint64_t now)
{
    if (co == NULL || co->notrap != 0 || co->nointr != 0 ||
        moat_annotate_copies_context() || moat_annotate_switching() ||
        !moat_policy_allows(co, regs->pc)) {
        note_waiting();
        return SECTION_RETRY_NS;
    }
    if (!moat_is_entered(co) || is_entering(regs) ||
        moat_arch_is_preempting(regs) || moat_altstack_in_use(ucontext) ||
        moat_altstack_is_returning(ucontext) ||
        moat_host_handler_wait(co, ucontext, now))
        return RETRY_NS;
    return 0;
}

/* The time is over: stops the guest, or notes that it must be stopped. Returns
 * when to look again, for a guest that could not be stopped yet and for a
 * resumer whose time is over, too. */
static uint64_t expire(uint64_t now, const siginfo_t *info, void *ucontext)
{
    struct co *co;
    moat_regs regs;
    uint64_t wait;

    moat_arch_regs_from_context(ucontext, &regs);
    co = find_guest(ucontext, regs.sp);
    wait = must_wait(co, &regs, ucontext, now);
    if (wait != 0)
        return moat_later_by(now, wait);
    stop_guest(co, info, ucontext, &regs);
    return look_at_outer(co, now);
}

/* A guest that is suspended in its system call, of which a policy has decided,
 * would come back to a filter that is on. */
static bool is_performing(const struct co *co)
{
    return moat_filter.armed && moat_calls_of(co)->performing;
}

/* The slice of the running guest is over: suspends it. The timer is set for the
 * next one's slice, which is likely to be as long. */
static uint64_t end_slice(uint64_t now, void *ucontext, int saved_errno)
{
    struct co *co;
    moat_regs regs;
    uint64_t wait, slice;

    moat_arch_regs_from_context(ucontext, &regs);
    co = find_guest(ucontext, regs.sp);
    wait = must_wait(co, &regs, ucontext, now);
    if (wait == 0 &&
        (co != moat_running() ||
         moat_switch_is_switching(handle_of(co), &regs) || is_performing(co) ||
         !moat_preempt(co, ucontext, saved_errno)))
        wait = RETRY_NS;
    if (wait != 0)
        return moat_later_by(now, wait);
    slice = moat_guest_clock_of(co)->limits.slice_ns;
    return moat_earlier(look_at_outer(co, now),
                        moat_later_by(now, slice + moat_slice_slack(slice)));
}

/* Returns when to look again at the slices, of which the innermost guest's may
 * be over. */
static uint64_t look_at_slices(uint64_t now, void *ucontext, int saved_errno)
{
    uint64_t look_at;

    if (moat_slice_is_over(moat_running(), now, &look_at))
        return end_slice(now, ucontext, saved_errno);
    if (look_at == NEVER)
        return moat_slices_look(moat_running(), now);
    return moat_earlier(look_at,
                        moat_slices_look(resumer_of(moat_running()), now));
}

/* Between the stores of a resume there may be a limited guest that is not
 * found. */
static bool is_switching(void)
{
    const struct co *co = moat_running();

    return co != NULL && !moat_is_entered(co);
}

static void on_timer(const siginfo_t *info, void *ucontext, int saved_errno)
{
    uint64_t now = moat_clock_ns(), look_at, again;
    const struct moat_guest_clock *clock;

    moat_alarm.armed_at = NEVER;
    moat_alarm.fired++;
    moat_tls.poll = 0;
    moat_stack_settle(moat_running(), moat_arch_sp_from_context(ucontext));
    again = moat_watch_end(now);
    if (is_switching())
        again = moat_later_by(now, RETRY_NS);
    clock = moat_guest_clocks_start(moat_running(), now);
    again = moat_earlier(again, moat_asides_look(now));
    if (moat_guest_clock_is_over(clock, now, &look_at))
        look_at = expire(now, info, ucontext);
    else
        look_at =
            moat_earlier(look_at, look_at_slices(now, ucontext, saved_errno));
    again = moat_earlier(again, look_at);
    moat_alarm_follow();
    (void)moat_alarm_set(again);
}

/* The timer may be set for a time that has passed before the handler has
 * returned: on a slow machine the next signal interrupts it, and so on, until
 * the alternate stack is full. So the inner one leaves all to the outer one,
 * which waits longer each time. In the end the signal comes again by itself. */
#define MAX_MISSED 4

static void on_signal_of_timer(const siginfo_t *info, void *ucontext,
                               int saved_errno)
{
    uint64_t wait_ns = RETRY_NS;

    if (moat_alarm.handling) {
        moat_alarm.armed_at = NEVER;
        moat_alarm.fired++;
        moat_alarm.missed = true;
        return;
    }
    moat_alarm.handling = true;
    moat_alarm.missed = false;
    on_timer(info, ucontext, saved_errno);
    for (unsigned i = 0; moat_alarm.missed && i < MAX_MISSED; i++) {
        moat_alarm.missed = false;
        wait_ns *= 4;
        (void)moat_alarm_set(moat_later_by(moat_clock_ns(), wait_ns));
    }
    moat_alarm.handling = false;
}

static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
    unsigned char filter;
    int saved_errno;

    moat_arch_enter_handler();
    if (moat_crew_has_passed_on(signo, info))
        return;
    filter = moat_calls_begin(ucontext);
    saved_errno = errno;
    if (moat_timer_sent(info, &moat_alarm))
        on_signal_of_timer(info, ucontext, saved_errno);
    else
        moat_chain_call(signo, info, ucontext);
    moat_calls_end(filter, ucontext);
    moat_altstack_return(ucontext, MOAT_ARCH_CALLED_BY_KERNEL(ucontext));
    errno = saved_errno;
    moat_trap_end_handler(ucontext);
}

/* --- ordinary context ---------------------------------------------------- */

moat_status moat_deadline_install(int signo)
{
    moat_status status;

    if (deadline_signo != 0)
        return MOAT_OK;
    status = moat_chain_install(signo, on_signal, true);
    if (status != MOAT_OK)
        return status;
    deadline_signo = signo;
    moat_alarm_use_signal(signo);
    return MOAT_OK;
}

moat_status moat_deadline_check(void)
{
    sigset_t mask;

    if (deadline_signo == 0)
        return MOAT_OK;
    if (moat_alarm.has_timer) {
        if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
            return moat_refuse_errno("pthread_sigmask");
        if (sigismember(&mask, deadline_signo) == 1)
            return MOAT_E_HANDLER_LOST;
    }
    return moat_chain_check(deadline_signo);
}

moat_status moat_deadline_remove(void)
{
    int signo = deadline_signo;

    deadline_signo = 0;
    return signo != 0 ? moat_chain_remove(signo) : MOAT_OK;
}

bool moat_deadline_pending(void)
{
    uint64_t now, look_at;

    if (moat_tls.poll == 0)
        return false;
    moat_tls.poll = 0;
    now = moat_clock_ns();
    return moat_guest_clock_is_over(
        moat_guest_clocks_start(moat_running(), now), now, &look_at);
}

void moat_deadline_note_used_up(const struct co *co)
{
    if (moat_guest_clock_is_used_up(co))
        moat_tls.poll = 1;
}

/* A guest that waits in the engine's code is in none of its own that a policy
 * could allow. */
static bool may_stop_suspended(const struct co *co)
{
    return co->control.state == co->control.token &&
           !moat_arch_is_fresh(handle_of(co)) && co->notrap == 0 &&
           co->nointr == 0 && moat_policy_allows(co, 0);
}

bool moat_deadline_stop_suspended(struct co *co)
{
    struct moat_trap_record *record = moat_trap_record_of(co);

    if (!may_stop_suspended(co) || !moat_guest_clock_is_used_up(co))
        return false;
    moat_trap_record_clear(record);
    moat_arch_regs_from_record(handle_of(co), &record->regs);
    record->kind = MOAT_TRAP_DEADLINE;
    moat_alarm_note(record);
    co->control.state = MOAT_MARK_TRAPPED;
    return true;
}

/* The clocks of limits of CPU time must run, as the child knows no more of the
 * CPU time than the sample. */
void moat_deadline_before_fork(void)
{
    uint64_t now = moat_clock_ns();

    if (moat_running() == NULL && moat_alarm.asides == NULL)
        return;
    (void)moat_guest_clocks_start(moat_running(), now);
    (void)moat_asides_look(now);
    (void)moat_cpu_clock(now);
}

void moat_deadline_after_fork(void)
{
    moat_alarm_after_fork();
    moat_asides_arm_again();
}
