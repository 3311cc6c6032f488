/*
 * test_chain.c: handlers that were installed before moat receive every signal
 * that is not a guest's trap, with the flags they asked for: signals sent while
 * a guest runs, and faults of the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"

#define QUEUED_VALUE 77

/* The signal as a handler saw it. Shared with the processes that send
 * signals. */
struct witness {
    volatile int ready; /* the guest runs */
    volatile int stop;  /* makes the guest return */
    volatile int calls;
    volatile int signo;
    siginfo_t info;
    sigset_t mask;
    uintptr_t frame;
    uintptr_t pc;
    volatile int word;
};

static struct witness *seen;
static sigjmp_buf way_out;

static void open_witness(void)
{
    seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(seen != MAP_FAILED);
}

static void nap(void)
{
    const struct timespec two_ms = {0, 2000000};

    (void)nanosleep(&two_ms, NULL);
}

/* Stops waiting after a while, so that no process outlives a failed test. */
static void await(const volatile int *flag, int value)
{
    for (int i = 0; i < 20000 && *flag != value; i++)
        nap();
}

/* ---- Handlers ---- */

static void note(int signo)
{
    seen->signo = signo;
    seen->frame = (uintptr_t)__builtin_frame_address(0);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &seen->mask);
    seen->calls++;
    seen->stop = 1;
}

static void plain_handler(int signo)
{
    note(signo);
}

static void info_handler(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *c = context;

    seen->info = *info;
    seen->pc = (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
    note(signo);
}

/* Lets the faulting store succeed. */
static void repairing_handler(int signo, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    info_handler(signo, info, context);
    c->uc_mcontext.gregs[REG_RAX] = (greg_t)(uintptr_t)&seen->word;
}

static void jumping_handler(int signo)
{
    note(signo);
    siglongjmp(way_out, 1);
}

static void exiting_handler(int signo)
{
    _exit(signo == SIGSEGV ? 42 : 43);
}

static void install_info(int signo, int flags,
                         void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

static void install_plain(int signo, int flags, int masked,
                          void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    if (masked != 0)
        (void)sigaddset(&action.sa_mask, masked);
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

/* ---- Guests that wait for a signal ---- */

static void *spin(moat_co *self, void *input)
{
    (void)self;
    seen->ready = 1;
    while (!seen->stop)
        ;
    return input;
}

static void *doze(moat_co *self, void *input)
{
    (void)self;
    seen->ready = 1;
    while (!seen->stop)
        nap();
    return input;
}

/* Checks right after each system call by which a guest signals itself. */
static void *probe_itself(moat_co *self, void *input)
{
    pid_t pid = getpid();
    long tid = syscall(SYS_gettid);

    (void)self;
    seen->ready = 1;
    while (!seen->stop)
        (void)syscall(SYS_tgkill, pid, tid, 0);
    return input;
}

static void *spin_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    (void)spin(self, input);
    moat_notrap_leave();
    return input;
}

/* ---- Senders ---- */

enum how { BY_KILL, BY_SIGQUEUE };

/* Starts a process that sends a signal once the guest runs. Returns its id. */
static pid_t start_sender(int signo, enum how how)
{
    const union sigval value = {.sival_int = QUEUED_VALUE};
    pid_t target = getpid();
    pid_t sender = fork();

    REQUIRE(sender >= 0);
    if (sender > 0)
        return sender;
    await(&seen->ready, 1);
    nap();
    _exit(how == BY_KILL ? kill(target, signo)
                         : sigqueue(target, signo, value));
}

struct shot {
    pid_t tid;
    int signo;
};

static void *shoot(void *arg)
{
    const struct shot *shot = arg;
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    await(&seen->ready, 1);
    nap();
    (void)syscall(SYS_tgkill, getpid(), shot->tid, shot->signo);
    return NULL;
}

/* Runs `guest` until the handler lets it return; it must not be interrupted. */
static void run_guest(moat_entry guest)
{
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, guest, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, seen, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, seen);
    moat_co_destroy(co);
}

static pid_t hit_by_process(int signo, enum how how, moat_entry guest)
{
    pid_t sender = start_sender(signo, how);

    run_guest(guest);
    EXPECT_EQ(waitpid(sender, NULL, 0), sender);
    return sender;
}

static void hit_by_thread(int signo, moat_entry guest)
{
    struct shot shot = {(pid_t)syscall(SYS_gettid), signo};
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, shoot, &shot) == 0);
    run_guest(guest);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

/* Runs `body` in a child process and expects `signo` to kill it. */
static void expect_death(void (*body)(void), int signo)
{
    int status = 0;
    pid_t child = fork();

    REQUIRE(child >= 0);
    if (child == 0) {
        body();
        _exit(0);
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signo);
}

static void null_write_on_host(void)
{
    volatile int *nowhere = NULL;

    __asm__ volatile("" : "+r"(nowhere));
    __asm__ volatile("movl $1, (%0)" : : "r"(nowhere) : "memory");
}

/* A guest's overflow is contained, so the alternate stack must be armed. */
static void *overflow(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("1: pushq %%rax\n\tjmp 1b" : : : "memory");
    return input;
}

static void expect_containment(void)
{
    moat_event event = {.kind = MOAT_EVENT_YIELD};
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, overflow, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

/* ---- Sent, not handled ---- */

static void killed_while_a_guest_spins(const void *arg)
{
    open_witness();
    (void)hit_by_process(*(const int *)arg, BY_KILL, spin);
}

static void killed_while_a_guest_sleeps(const void *arg)
{
    open_witness();
    (void)hit_by_process(*(const int *)arg, BY_KILL, doze);
}

static void killed_in_a_section(const void *arg)
{
    open_witness();
    (void)hit_by_process(*(const int *)arg, BY_KILL, spin_in_section);
}

static void queued_while_a_guest_spins(const void *arg)
{
    open_witness();
    (void)hit_by_process(*(const int *)arg, BY_SIGQUEUE, spin);
}

static void shot_by_a_thread(const void *arg)
{
    open_witness();
    hit_by_thread(*(const int *)arg, spin);
}

/* ---- Sent and handled ---- */

static void siginfo_handler_gets_a_killed_guests_signal(const void *arg)
{
    pid_t sender;

    (void)arg;
    open_witness();
    install_info(SIGFPE, 0, info_handler);
    sender = hit_by_process(SIGFPE, BY_KILL, spin);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->signo, SIGFPE);
    EXPECT_EQ(seen->info.si_signo, SIGFPE);
    EXPECT_EQ(seen->info.si_code, SI_USER);
    EXPECT_EQ(seen->info.si_pid, sender);
    EXPECT_EQ(seen->info.si_uid, getuid());
}

static void siginfo_handler_gets_a_queued_value(const void *arg)
{
    pid_t sender;

    (void)arg;
    open_witness();
    install_info(SIGSEGV, 0, info_handler);
    sender = hit_by_process(SIGSEGV, BY_SIGQUEUE, doze);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->info.si_code, SI_QUEUE);
    EXPECT_EQ(seen->info.si_pid, sender);
    EXPECT_EQ(seen->info.si_value.sival_int, QUEUED_VALUE);
}

static void siginfo_handler_gets_a_threads_signal(const void *arg)
{
    (void)arg;
    open_witness();
    install_info(SIGSEGV, 0, info_handler);
    hit_by_thread(SIGSEGV, spin);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->info.si_code, SI_TKILL);
    EXPECT_EQ(seen->info.si_pid, getpid());
}

static void a_sent_signal_behind_tgkill_is_not_the_guests(const void *arg)
{
    pid_t sender;

    (void)arg;
    open_witness();
    install_info(SIGABRT, 0, info_handler);
    sender = hit_by_process(SIGABRT, BY_KILL, probe_itself);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->info.si_pid, sender);
}

static void plain_handler_is_called(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGBUS, 0, 0, plain_handler);
    (void)hit_by_process(SIGBUS, BY_KILL, spin);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->signo, SIGBUS);
}

static void handler_is_called_in_a_section(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGTRAP, 0, 0, plain_handler);
    (void)hit_by_process(SIGTRAP, BY_KILL, spin_in_section);
    EXPECT_EQ(seen->calls, 1);
}

static void each_of_our_signals_reaches_its_handler(const void *arg)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGILL,
                                  SIGFPE,  SIGTRAP, SIGABRT};

    (void)arg;
    open_witness();
    for (size_t i = 0; i < 6; i++)
        install_plain(signals[i], 0, 0, plain_handler);
    for (size_t i = 0; i < 6; i++) {
        expect_context("signal %d", signals[i]);
        seen->ready = seen->stop = 0;
        (void)hit_by_process(signals[i], BY_KILL, spin);
        EXPECT_EQ(seen->calls, i + 1);
        EXPECT_EQ(seen->signo, signals[i]);
    }
}

static void twice_with_resethand(void)
{
    install_plain(SIGSEGV, (int)SA_RESETHAND, 0, plain_handler);
    (void)hit_by_process(SIGSEGV, BY_KILL, spin);
    seen->ready = seen->stop = 0;
    (void)hit_by_process(SIGSEGV, BY_KILL, spin);
}

static void resethand_handler_is_called_once(const void *arg)
{
    (void)arg;
    open_witness();
    expect_death(twice_with_resethand, SIGSEGV);
    EXPECT_EQ(seen->calls, 1);
}

static void expect_mask_after(void)
{
    sigset_t now;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &now);
    for (int signo = 1; signo < 32; signo++)
        EXPECT_EQ(sigismember(&now, signo), 0);
}

static void handler_runs_with_its_mask(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGSEGV, 0, SIGUSR1, plain_handler);
    (void)hit_by_process(SIGSEGV, BY_KILL, spin);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(sigismember(&seen->mask, SIGUSR1), 1);
    EXPECT_EQ(sigismember(&seen->mask, SIGSEGV), 1);
    EXPECT_EQ(sigismember(&seen->mask, SIGUSR2), 0);
    expect_mask_after();
}

static void nodefer_handler_runs_with_its_signal_open(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGSEGV, SA_NODEFER, SIGUSR1, plain_handler);
    (void)hit_by_process(SIGSEGV, BY_KILL, spin);
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(sigismember(&seen->mask, SIGUSR1), 1);
    EXPECT_EQ(sigismember(&seen->mask, SIGSEGV), 0);
    expect_mask_after();
}

static void onstack_handler_runs_on_no_guests_stack(const void *arg)
{
    moat_stack_info stack = {0, 0, 0, 0, 0};
    moat_event event = {.kind = MOAT_EVENT_TRAP};
    moat_co *co = NULL;
    pid_t sender;

    (void)arg;
    open_witness();
    install_plain(SIGSEGV, SA_ONSTACK, 0, plain_handler);
    REQUIRE(moat_co_create(&co, spin, NULL) == MOAT_OK);
    REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
    sender = start_sender(SIGSEGV, BY_KILL);
    EXPECT_EQ(moat_co_resume(co, seen, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(waitpid(sender, NULL, 0), sender);
    EXPECT_EQ(seen->calls, 1);
    EXPECT(seen->frame < stack.guard || seen->frame >= stack.base);
    moat_co_destroy(co);
    expect_containment();
}

static void ignored_signals_stay_ignored(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGFPE, 0, 0, SIG_IGN);
    install_plain(SIGUSR2, 0, 0, plain_handler);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT_EQ(kill(getpid(), SIGFPE), 0);
    seen->ready = 1;
    (void)hit_by_process(SIGUSR2, BY_KILL, spin);
    EXPECT_EQ(seen->calls, 1);
}

static void ignore_and_spin(void)
{
    install_plain(SIGFPE, 0, 0, SIG_IGN);
    if (fork() == 0) {
        await(&seen->ready, 1);
        for (int i = 0; i < 3; i++) {
            (void)kill(getppid(), SIGFPE);
            nap();
        }
        seen->stop = 1;
        _exit(0);
    }
    run_guest(spin);
}

static void an_ignored_signal_does_not_disturb_a_guest(const void *arg)
{
    (void)arg;
    open_witness();
    ignore_and_spin();
}

/* ---- Faults of the host, handled ---- */

static void siginfo_handler_gets_a_host_fault(const void *arg)
{
    uintptr_t address = 0x18;

    (void)arg;
    open_witness();
    install_info(SIGSEGV, 0, repairing_handler);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    __asm__ volatile("movl $5, (%%rax)" : "+a"(address) : : "memory");
    EXPECT_EQ(seen->calls, 1);
    EXPECT_EQ(seen->word, 5);
    EXPECT_EQ(seen->info.si_code, SEGV_MAPERR);
    EXPECT_EQ(seen->info.si_addr, 0x18);
    expect_containment();
}

/* The alternate stack is armed, and is the one from before. */
static void expect_armed(const stack_t *before)
{
    stack_t now;

    REQUIRE(sigaltstack(NULL, &now) == 0);
    EXPECT_EQ(now.ss_sp, before->ss_sp);
    EXPECT_EQ(now.ss_size, before->ss_size);
    EXPECT_EQ(now.ss_flags & (SS_DISABLE | SS_ONSTACK), 0);
}

static void jump_out_twice(int flags)
{
    struct thread_signals before;

    open_witness();
    install_plain(SIGSEGV, flags, 0, jumping_handler);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    thread_signals_note(&before);
    for (volatile int i = 1; i <= 3; i++) {
        expect_context("jump %d", i);
        if (sigsetjmp(way_out, 1) == 0)
            null_write_on_host();
        EXPECT_EQ(seen->calls, i);
        expect_armed(&before.alternate);
        expect_containment();
    }
    thread_signals_expect_kept(&before);
}

static void handler_may_leave_by_siglongjmp(const void *arg)
{
    (void)arg;
    jump_out_twice(0);
}

static void onstack_handler_may_leave_by_siglongjmp(const void *arg)
{
    (void)arg;
    jump_out_twice(SA_ONSTACK);
}

static void onstack_nodefer_handler_may_leave_by_siglongjmp(const void *arg)
{
    (void)arg;
    jump_out_twice(SA_ONSTACK | SA_NODEFER);
}

static void host_fault_twice_with_resethand(void)
{
    install_plain(SIGSEGV, (int)(SA_RESETHAND | SA_NODEFER), 0,
                  jumping_handler);
    if (moat_thread_attach() != MOAT_OK)
        _exit(1);
    if (sigsetjmp(way_out, 1) == 0)
        null_write_on_host();
    null_write_on_host();
}

static void resethand_handler_gets_one_host_fault(const void *arg)
{
    (void)arg;
    open_witness();
    expect_death(host_fault_twice_with_resethand, SIGSEGV);
    EXPECT_EQ(seen->calls, 1);
}

static void a_host_fault_is_fatal_though_ignored(const void *arg)
{
    (void)arg;
    install_plain(SIGSEGV, 0, 0, SIG_IGN);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    null_write_on_host();
}

static void faulting_handler(int signo)
{
    (void)signo;
    null_write_on_host();
}

static void a_fault_in_a_former_handler_is_fatal(const void *arg)
{
    (void)arg;
    install_plain(SIGFPE, 0, 0, faulting_handler);
    install_plain(SIGSEGV, 0, 0, faulting_handler);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    (void)raise(SIGFPE);
}

/* A handler on the alternate stack that is itself interrupted by a handler with
 * SA_ONSTACK. The frames must not overlap. */
static void interrupted_handler(int signo, siginfo_t *info, void *context)
{
    volatile unsigned char frame[4096];

    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (unsigned char)i;
    EXPECT_EQ(raise(SIGUSR1), 0);
    EXPECT_EQ(raise(SIGFPE), 0);
    for (size_t i = 0; i < sizeof(frame); i++) {
        if (frame[i] != (unsigned char)i)
            _exit(CHILD_FAILED);
    }
    repairing_handler(signo, info, context);
}

static void signals_nest_in_a_former_handler(const void *arg)
{
    uintptr_t address = 0x18;

    (void)arg;
    open_witness();
    install_info(SIGSEGV, SA_ONSTACK, interrupted_handler);
    install_plain(SIGFPE, SA_ONSTACK, 0, plain_handler);
    install_plain(SIGUSR1, SA_ONSTACK, 0, plain_handler);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    __asm__ volatile("movl $5, (%%rax)" : "+a"(address) : : "memory");
    EXPECT_EQ(seen->calls, 3);
    EXPECT_EQ(seen->word, 5);
    expect_containment();
}

/* A bug in the host's handler must not be blamed on the interrupted guest. */
static void a_fault_in_a_former_handler_over_a_guest_is_fatal(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGFPE, SA_ONSTACK, 0, faulting_handler);
    (void)hit_by_process(SIGFPE, BY_KILL, spin);
}

static void *fault_in_section(moat_co *self, void *input)
{
    (void)self;
    moat_notrap_enter();
    null_write_on_host();
    moat_notrap_leave();
    return input;
}

static void handler_gets_a_fault_in_a_section(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGSEGV, 0, 0, exiting_handler);
    run_guest(fault_in_section);
}

/* ---- Not called at all; restored ---- */

static void a_guests_trap_does_not_reach_the_former_handler(const void *arg)
{
    (void)arg;
    open_witness();
    install_plain(SIGSEGV, 0, 0, plain_handler);
    for (int i = 0; i < 3; i++)
        expect_containment();
    EXPECT_EQ(seen->calls, 0);
}

static void shutdown_restores_every_disposition(const void *arg)
{
    static struct dispositions before;

    (void)arg;
    install_plain(SIGSEGV, SA_NODEFER, SIGUSR1, plain_handler);
    install_info(SIGFPE, SA_RESTART, info_handler);
    install_plain(SIGTRAP, 0, 0, SIG_IGN);
    dispositions_note(&before);
    expect_containment();
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    dispositions_expect_kept(&before);
    expect_containment();
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    dispositions_expect_kept(&before);
}

static void a_replaced_handler_is_noticed_and_left_alone(const void *arg)
{
    struct sigaction now;

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    install_plain(SIGILL, 0, 0, plain_handler);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_HANDLER_LOST);
    REQUIRE(sigaction(SIGILL, NULL, &now) == 0);
    EXPECT(now.sa_handler == plain_handler);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STATE);
}

static void a_handler_that_lost_its_flags_is_noticed(const void *arg)
{
    struct sigaction now;

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(sigaction(SIGSEGV, NULL, &now) == 0);
    now.sa_flags &= ~SA_ONSTACK;
    REQUIRE(sigaction(SIGSEGV, &now, NULL) == 0);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
}

static void detach_restores_the_former_alternate_stack(const void *arg)
{
    struct thread_signals before;
    stack_t own = {malloc(65536), 0, 65536};

    (void)arg;
    REQUIRE(own.ss_sp != NULL);
    REQUIRE(sigaltstack(&own, NULL) == 0);
    thread_signals_note(&before);
    expect_containment();
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    thread_signals_expect_kept(&before);
    expect_containment();
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    thread_signals_expect_kept(&before);
}

/* ---- The manual source ---- */

static void asking_handler(int signo, siginfo_t *info, void *context)
{
    if (moat_trap_handle(signo, info, context))
        return;
    seen->calls++;
    siglongjmp(way_out, 1);
}

static void the_manual_source_claims_guests_faults_only(const void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    (void)arg;
    open_witness();
    options.source = MOAT_SOURCE_MANUAL;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
    install_info(SIGSEGV, SA_ONSTACK | SA_NODEFER, asking_handler);
    for (int i = 0; i < 3; i++)
        expect_containment();
    EXPECT_EQ(seen->calls, 0);
    if (sigsetjmp(way_out, 1) == 0)
        null_write_on_host();
    EXPECT_EQ(seen->calls, 1);
    expect_containment();
}

static const int segv = SIGSEGV, fpe = SIGFPE, ill = SIGILL, bus = SIGBUS,
                 trap = SIGTRAP, abrt = SIGABRT;

#define DEADLY(function, signal)                                        \
    {                                                                   \
#        function " by " #        signal, function, &signal, NULL, 0, 0 \
    }

static struct child_case cases[] = {
    DEADLY(killed_while_a_guest_spins, segv),
    DEADLY(killed_while_a_guest_spins, fpe),
    DEADLY(killed_while_a_guest_spins, ill),
    DEADLY(killed_while_a_guest_spins, bus),
    DEADLY(killed_while_a_guest_spins, trap),
    DEADLY(killed_while_a_guest_spins, abrt),
    DEADLY(killed_while_a_guest_sleeps, segv),
    DEADLY(killed_while_a_guest_sleeps, abrt),
    DEADLY(killed_in_a_section, segv),
    DEADLY(killed_in_a_section, trap),
    DEADLY(queued_while_a_guest_spins, segv),
    DEADLY(queued_while_a_guest_spins, fpe),
    {"shot_by_a_thread by segv", shot_by_a_thread, &segv, TO_THREAD, 0, 0},
    {"shot_by_a_thread by abrt", shot_by_a_thread, &abrt, TO_THREAD, 0, 0},
    CHILD_CASE(siginfo_handler_gets_a_killed_guests_signal),
    CHILD_CASE(siginfo_handler_gets_a_queued_value),
    {"siginfo_handler_gets_a_threads_signal",
     siginfo_handler_gets_a_threads_signal, NULL, TO_THREAD, 0, 0},
    CHILD_CASE(a_sent_signal_behind_tgkill_is_not_the_guests),
    CHILD_CASE(plain_handler_is_called),
    CHILD_CASE(handler_is_called_in_a_section),
    CHILD_CASE(each_of_our_signals_reaches_its_handler),
    CHILD_CASE(resethand_handler_is_called_once),
    CHILD_CASE(handler_runs_with_its_mask),
    CHILD_CASE(nodefer_handler_runs_with_its_signal_open),
    CHILD_CASE(onstack_handler_runs_on_no_guests_stack),
    CHILD_CASE(ignored_signals_stay_ignored),
    CHILD_CASE(an_ignored_signal_does_not_disturb_a_guest),
    CHILD_CASE(siginfo_handler_gets_a_host_fault),
    CHILD_CASE(handler_may_leave_by_siglongjmp),
    CHILD_CASE(onstack_handler_may_leave_by_siglongjmp),
    CHILD_CASE(onstack_nodefer_handler_may_leave_by_siglongjmp),
    CHILD_CASE(resethand_handler_gets_one_host_fault),
    {"a_host_fault_is_fatal_though_ignored",
     a_host_fault_is_fatal_though_ignored, NULL, NULL, SIGSEGV, 0},
    {"a_fault_in_a_former_handler_is_fatal",
     a_fault_in_a_former_handler_is_fatal, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(signals_nest_in_a_former_handler),
    {"a_fault_in_a_former_handler_over_a_guest_is_fatal",
     a_fault_in_a_former_handler_over_a_guest_is_fatal, NULL, NULL, SIGSEGV, 0},
    {"handler_gets_a_fault_in_a_section", handler_gets_a_fault_in_a_section,
     NULL, NULL, 0, 42},
    CHILD_CASE(a_guests_trap_does_not_reach_the_former_handler),
    CHILD_CASE(shutdown_restores_every_disposition),
    CHILD_CASE(a_replaced_handler_is_noticed_and_left_alone),
    CHILD_CASE(a_handler_that_lost_its_flags_is_noticed),
    CHILD_CASE(detach_restores_the_former_alternate_stack),
    CHILD_CASE(the_manual_source_claims_guests_faults_only),
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(int argc, char **argv)
{
    for (size_t i = 0; i < CASES; i++) {
        if (cases[i].arg != NULL)
            cases[i].signo = *(const int *)cases[i].arg;
    }
    return child_cases_run("former handlers receive their signals", cases,
                           CASES, argc > 1 ? argv[1] : NULL);
}
