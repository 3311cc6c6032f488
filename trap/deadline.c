/*
 * deadline.c: the lazy one-shot timer of a thread, and what its signal does.
 *
 * The timer runs on CLOCK_MONOTONIC: timers of CPU clocks are driven by the
 * scheduler's tick and come milliseconds late. CPU time is asked for when the
 * timer fires, and the rest waited for.
 *
 * Lazy: a resume stores when its time is over and sets the timer only if that
 * is earlier than the moment for which it is set already. A timer that fires
 * early is set again from the handler; with no deadline in force it goes quiet.
 *
 * A signal that finds the thread in host code is not dropped (a one-shot that
 * is dropped never comes again) but retried shortly after.
 *
 * All state is thread-local and shared with this thread's handler alone; each
 * word is read and written whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stack/annotate.h"
#include "stack/size.h"
#include "trap/internal.h"

#define NEVER    UINT64_MAX
#define NS_PER_S UINT64_C(1000000000)

/* How soon to look again: in the few instructions of a switch, or a handler of
 * the host's; in host code, in code that the policy spares, or in a section,
 * whose end asks by itself but may never come. */
#define RETRY_NS         50000u
#define SECTION_RETRY_NS 1000000u

/* A CPU-time sample may be older than the limit by this part of it. */
#define SAMPLE_PART 8

struct deadline {
    bool has_timer;
    bool was_blocked; /* the signal, by the host, before the timer was made */
    timer_t timer;
    volatile uint64_t cpu_before;  /* CPU time of the threads that this one
                                      was forked from                        */
    volatile uint64_t sampled_at;  /* monotonic time of the last CPU sample  */
    volatile uint64_t sampled_cpu; /* the thread's CPU time then             */
    volatile uint64_t wall_at;  /* monotonic time at which it is over        */
    volatile uint64_t cpu_at;   /* thread CPU time at which it is over       */
    volatile uint64_t due_at;   /* monotonic time at which to look           */
    volatile uint64_t armed_at; /* what the timer is set for                 */
};

static __thread struct deadline deadline
    __attribute__((tls_model("initial-exec"))) = {
        .wall_at = NEVER, .cpu_at = NEVER, .due_at = NEVER, .armed_at = NEVER};

static int
    deadline_signo; /* 0: not installed; written under the engine's lock */

/* A word that a child finds to be zero however it was forked (madvise(2),
 * MADV_WIPEONFORK): its timers are gone, whatever is stored about them. NULL:
 * this kernel does not offer that, and only fork(3) is noticed. */
static volatile uint32_t *not_forked; /* written under the engine's lock */

/* A clock that cannot be read (a filter of system calls may forbid it) says
 * that all time is over. */
static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        return NEVER;
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Limits near the end of time mean no limit. */
static uint64_t later_by(uint64_t at, uint64_t ns)
{
    return ns > NEVER - at ? NEVER : at + ns;
}

/* The thread's CPU time, with that of its forebears: a child's clock starts at
 * 0, and limits that were in force before the fork go on. */
static uint64_t sample_cpu(uint64_t now)
{
    uint64_t cpu =
        later_by(deadline.cpu_before, now_ns(CLOCK_THREAD_CPUTIME_ID));

    if (cpu != NEVER) {
        deadline.sampled_cpu = cpu;
        deadline.sampled_at = now;
    }
    return cpu;
}

/* Signal-safe: timer_settime is (POSIX.1-2017, 2.4.3). False: the timer is
 * gone, as in a child of a raw fork system call. */
static bool arm(uint64_t at)
{
    struct itimerspec when;

    memset(&when, 0, sizeof when);
    when.it_value.tv_sec = (time_t)(at / NS_PER_S);
    when.it_value.tv_nsec = (long)(at % NS_PER_S);
    deadline.armed_at = at;
    if (timer_settime(deadline.timer, TIMER_ABSTIME, &when, NULL) == 0)
        return true;
    deadline.armed_at = NEVER;
    return false;
}

/* --- the signal --------------------------------------------------------------
 */

static bool is_ours(const siginfo_t *info)
{
    return info->si_code == SI_TIMER &&
           info->si_value.sival_ptr == (void *)&deadline;
}

/* Is a time limit over? If only its CPU part is not, says when to look again.
 */
static bool is_over(uint64_t now, uint64_t *look_at)
{
    uint64_t cpu;

    *look_at = deadline.wall_at;
    if (now >= deadline.wall_at)
        return true;
    if (deadline.cpu_at == NEVER)
        return false;
    cpu = sample_cpu(now);
    if (cpu >= deadline.cpu_at)
        return true;
    *look_at = earlier(*look_at, later_by(now, deadline.cpu_at - cpu));
    return false;
}

static void cut(struct moat_activation *activation, const siginfo_t *info,
                void *ucontext, const moat_regs *regs)
{
    struct moat_trap_record *record = moat_trap_record_of(activation);

    memset(record, 0, sizeof *record);
    record->regs = *regs;
    moat_arch_fpu_from_context(ucontext, record->fpu);
    record->kind = MOAT_TRAP_DEADLINE;
    record->signo = deadline_signo;
    record->code = info->si_code;
    moat_grace_leave();
    moat_trap_land(activation, ucontext);
}

/* The time is over: cut the guest, or note that it must be cut; and look again,
 * for where it could not be cut, or for a resumer whose time is over too. */
static void expire(uint64_t now, const siginfo_t *info, void *ucontext)
{
    struct moat_activation *activation = moat_trap_current();
    uint64_t again = RETRY_NS;
    moat_regs regs;

    moat_arch_regs_from_context(ucontext, &regs);
    if (activation == NULL || activation->notrap != 0 ||
        activation->hold != 0 || moat_annotate_copies_context() ||
        moat_annotate_switching() || !moat_policy_allows(activation, regs.pc)) {
        moat_tls.poll = 1;
        again = SECTION_RETRY_NS;
    } else if (activation->co.state == MOAT_MARK_RUNNING &&
               !moat_altstack_in_use(ucontext)) {
        cut(activation, info, ucontext, &regs);
    }
    (void)arm(later_by(now, again));
}

static void on_timer(const siginfo_t *info, void *ucontext)
{
    uint64_t now, look_at;

    deadline.armed_at = NEVER;
    if (deadline.due_at == NEVER)
        return;
    now = now_ns(CLOCK_MONOTONIC);
    if (is_over(now, &look_at))
        expire(now, info, ucontext);
    else
        (void)arm(look_at);
}

static void on_signal(int signo, siginfo_t *info, void *ucontext)
{
    int saved_errno;

    moat_arch_clear_alignment_check();
    saved_errno = errno;
    if (is_ours(info))
        on_timer(info, ucontext);
    else
        moat_chain_call(signo, info, ucontext);
    errno = saved_errno;
}

/* --- ordinary context ---------------------------------------------------- */

static void watch_forks(void)
{
    void *page = mmap(NULL, MOAT_PAGE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    if (madvise(page, MOAT_PAGE_BYTES, MADV_WIPEONFORK) != 0) {
        (void)munmap(page, MOAT_PAGE_BYTES);
        return;
    }
    not_forked = page;
    *not_forked = 1;
}

static void stop_watching_forks(void)
{
    if (not_forked != NULL)
        (void)munmap((void *)(uintptr_t)not_forked, MOAT_PAGE_BYTES);
    not_forked = NULL;
}

moat_status moat_deadline_install(int signo)
{
    moat_status status;

    if (deadline_signo != 0)
        return MOAT_OK;
    status = moat_chain_install(signo, on_signal, true);
    if (status != MOAT_OK)
        return status;
    deadline_signo = signo;
    watch_forks();
    return MOAT_OK;
}

moat_status moat_deadline_check(void)
{
    sigset_t mask;

    if (deadline_signo == 0)
        return MOAT_OK;
    if (deadline.has_timer) {
        if (pthread_sigmask(SIG_BLOCK, NULL, &mask) != 0)
            return MOAT_E_SYSTEM;
        if (sigismember(&mask, deadline_signo) == 1)
            return MOAT_E_HANDLER_LOST;
    }
    return moat_chain_check(deadline_signo);
}

moat_status moat_deadline_remove(void)
{
    int signo = deadline_signo;

    stop_watching_forks();
    deadline_signo = 0;
    return signo != 0 ? moat_chain_remove(signo) : MOAT_OK;
}

static void change_mask(int how, sigset_t *before)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, deadline_signo);
    (void)pthread_sigmask(how, &set, before);
}

/* A thread that blocks all signals would never be told. */
static void unblock(void)
{
    sigset_t before;

    change_mask(SIG_UNBLOCK, &before);
    if (sigismember(&before, deadline_signo) == 1)
        deadline.was_blocked = true;
}

void moat_deadline_unblock(void)
{
    if (deadline.has_timer)
        change_mask(SIG_UNBLOCK, NULL);
}

static void forget(void)
{
    deadline.has_timer = false;
    deadline.armed_at = NEVER;
    deadline.sampled_at = 0;
}

/* In a forked child. What the thread had used up is known as of the last
 * sample. */
static void begin_anew(void)
{
    deadline.cpu_before = deadline.sampled_cpu;
    forget();
    if (not_forked != NULL)
        *not_forked = 1;
}

static void begin_anew_if_forked(void)
{
    if (not_forked != NULL && *not_forked == 0)
        begin_anew();
}

static moat_status make_timer(void)
{
    struct sigevent event;

    begin_anew_if_forked();
    if (deadline.has_timer)
        return MOAT_OK;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = deadline_signo;
    event.sigev_value.sival_ptr = &deadline;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &deadline.timer) != 0)
        return MOAT_E_SYSTEM;
    deadline.has_timer = true;
    unblock();
    return MOAT_OK;
}

/*
 * The thread's CPU time, or a bound above it; NEVER if it cannot be told. It
 * has grown by no more than the monotonic clock since the last sample. Reading
 * it is a system call, so a sample serves until the doubt would be more than
 * its part of the limit.
 */
static uint64_t cpu_at_most(uint64_t now, uint64_t limit_ns)
{
    uint64_t at, cpu;

    /* The handler may take a new sample between the two reads. */
    do {
        at = deadline.sampled_at;
        cpu = deadline.sampled_cpu;
    } while (at != deadline.sampled_at);
    if (at == 0 || at > now || now - at > limit_ns / SAMPLE_PART) {
        cpu = sample_cpu(now);
        if (cpu == NEVER)
            return NEVER;
        at = now;
    }
    return cpu + (now - at);
}

/* Sets the timer, unless it is set early enough. If it should have fired, its
 * signal went to somebody else (sigwait, another handler) and will not come
 * again. A resumer whose CPU time was left over when it was looked at last need
 * not be looked at now. */
static moat_status arm_for_due(uint64_t now)
{
    uint64_t look_at;

    if (deadline.due_at >= deadline.armed_at && deadline.armed_at > now)
        return MOAT_OK;
    if (deadline.due_at <= now && !is_over(now, &look_at))
        deadline.due_at = look_at;
    if (arm(deadline.due_at))
        return MOAT_OK;
    (void)timer_delete(deadline.timer);
    deadline.has_timer = false;
    if (make_timer() != MOAT_OK || !arm(deadline.due_at))
        return MOAT_E_SYSTEM;
    return MOAT_OK;
}

static void restore(const struct moat_deadline_scope *scope)
{
    deadline.wall_at = scope->wall_at;
    deadline.cpu_at = scope->cpu_at;
    deadline.due_at = scope->due_at;
}

moat_status moat_deadline_push(struct moat_deadline_scope *scope,
                               const moat_limits *limits)
{
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    uint64_t wall_at = NEVER, cpu_at = NEVER, due_at = NEVER;
    uint64_t cpu = 0;
    moat_status status = make_timer();

    if (status != MOAT_OK)
        return status;
    if (limits->resume_cpu_ns != 0)
        cpu = cpu_at_most(now, limits->resume_cpu_ns);
    if (now == NEVER || cpu == NEVER)
        return MOAT_E_SYSTEM;
    scope->wall_at = deadline.wall_at;
    scope->cpu_at = deadline.cpu_at;
    scope->due_at = deadline.due_at;
    if (limits->wall_ns != 0)
        wall_at = due_at = later_by(now, limits->wall_ns);
    if (limits->resume_cpu_ns != 0) {
        cpu_at = later_by(cpu, limits->resume_cpu_ns);
        due_at = earlier(due_at, later_by(now, limits->resume_cpu_ns));
    }
    deadline.wall_at = earlier(deadline.wall_at, wall_at);
    deadline.cpu_at = earlier(deadline.cpu_at, cpu_at);
    deadline.due_at = earlier(deadline.due_at, due_at);
    status = arm_for_due(now);
    if (status != MOAT_OK)
        restore(scope);
    return status;
}

/* The timer may have been used up for the inner coroutine, and it may have
 * stayed behind at a fork. */
static void arm_again(void)
{
    if (deadline.due_at != NEVER && make_timer() == MOAT_OK)
        (void)arm_for_due(now_ns(CLOCK_MONOTONIC));
}

void moat_deadline_pop(const struct moat_deadline_scope *scope)
{
    restore(scope);
    moat_tls.poll = 0;
    arm_again();
}

moat_status moat_deadline_replace(const struct moat_deadline_scope *leaving,
                                  struct moat_deadline_scope *entering,
                                  const moat_limits *limits)
{
    const struct moat_deadline_scope before = {
        deadline.wall_at, deadline.cpu_at, deadline.due_at};
    moat_status status = MOAT_OK;

    if (leaving != NULL)
        restore(leaving);
    if (entering != NULL)
        status = moat_deadline_push(entering, limits);
    if (status != MOAT_OK)
        restore(&before);
    else
        moat_tls.poll = 0;
    if (status != MOAT_OK || entering == NULL)
        arm_again();
    return status;
}

bool moat_deadline_pending(void)
{
    uint64_t look_at;

    if (moat_tls.poll == 0)
        return false;
    moat_tls.poll = 0;
    return is_over(now_ns(CLOCK_MONOTONIC), &look_at);
}

void moat_deadline_detach(void)
{
    begin_anew_if_forked();
    if (deadline.has_timer)
        (void)timer_delete(deadline.timer);
    /* The timer's last signal has been delivered by now, so none is left. */
    if (deadline.was_blocked)
        change_mask(SIG_BLOCK, NULL);
    deadline.was_blocked = false;
    forget();
}

void moat_deadline_before_fork(void)
{
    if (deadline.cpu_at != NEVER)
        (void)sample_cpu(now_ns(CLOCK_MONOTONIC));
}

void moat_deadline_after_fork(void)
{
    begin_anew();
    if (deadline.due_at != NEVER && make_timer() == MOAT_OK)
        (void)arm(deadline.due_at);
}
