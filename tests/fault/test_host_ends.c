/*
 * test_host_ends.c: what still ends or damages a host whose guests run without
 * the library moat-malloc. docs/what-ends-a-host.md names each case; where a
 * remedy needs no other library, the case after it applies it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <asm/prctl.h>

#include <moat/moat.h>

#include "../support/fixture.h"

#if UNDER_ASAN || UNDER_TSAN
#    define SANITIZED "a sanitizer replaces the C library's function"
#else
#    define SANITIZED NULL
#endif

static int *volatile nowhere;

__attribute__((no_sanitize("undefined"))) static void fault(void)
{
    *nowhere = 1;
}

/* An expected death leaves no core file. */
static moat_event run_with(moat_entry guest, void *input,
                           const moat_co_options *options, moat_co **out)
{
    static const struct rlimit no_core = {0, 0};
    moat_event event = {0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
    REQUIRE(moat_co_create(out, guest, options) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(*out, input, &event), MOAT_OK);
    return event;
}

static moat_event run(moat_entry guest, void *input)
{
    moat_co *co;

    return run_with(guest, input, NULL, &co);
}

#define GUEST(name, statement)                    \
    static void *name(moat_co *self, void *input) \
    {                                             \
        (void)self;                               \
        statement;                                \
        return input;                             \
    }

/* The case `name` runs a guest with one statement. */
#define ENDS(name, statement)          \
    GUEST(name##_guest, statement)     \
    static void name(const void *arg)  \
    {                                  \
        (void)arg;                     \
        (void)run(name##_guest, NULL); \
    }

/* ---- Calls that end the process ---- */

ENDS(exit_ends_the_host, exit(3))
ENDS(raise_sigterm_ends_the_host, (void)raise(SIGTERM))
ENDS(sigkill_ends_the_host, (void)kill(getpid(), SIGKILL))
ENDS(exec_replaces_the_host,
     (void)execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL))
ENDS(a_raw_system_call_ends_the_host, (void)syscall(SYS_exit_group, 4))

static void *fault_on_a_thread(void *arg)
{
    fault();
    return arg;
}

static void *make_a_thread(moat_co *self, void *input)
{
    pthread_t thread;

    (void)self;
    REQUIRE(pthread_create(&thread, NULL, fault_on_a_thread, NULL) == 0);
    (void)pthread_join(thread, NULL);
    return input;
}

static void a_guests_thread_faults(const void *arg)
{
    (void)arg;
    (void)run(make_a_thread, NULL);
}

GUEST(end_the_thread, pthread_exit(NULL))

static void pthread_exit_is_an_abort(const void *arg)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co;

    (void)arg;
    EXPECT_EQ(run_with(end_the_thread, NULL, NULL, &co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_ABORT);
}

/* The child of the guest's fork ends; the parent is the host. */
static void *fork_and_return(moat_co *self, void *input)
{
    (void)self;
    *(pid_t *)input = fork();
    return input;
}

static void a_forked_child_does_not_return(const void *arg)
{
    pid_t child = -1;
    int status = 0;

    (void)arg;
    EXPECT_EQ(run(fork_and_return, &child).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == MOAT_FORK_EXIT_STATUS);
}

static void *write_to_nobody(moat_co *self, void *input)
{
    int ends[2];

    (void)self;
    REQUIRE(pipe(ends) == 0);
    (void)close(ends[0]);
    EXPECT(write(ends[1], "x", 1) == -1);
    return input;
}

static void sigpipe_ends_the_host(const void *arg)
{
    (void)arg;
    (void)run(write_to_nobody, NULL);
}

static void an_ignored_sigpipe_does_not(const void *arg)
{
    (void)arg;
    REQUIRE(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    EXPECT_EQ(run(write_to_nobody, NULL).kind, MOAT_EVENT_RETURN);
}

/* ---- Signals that moat needs ---- */

static void *block_all_and_fault(moat_co *self, void *input)
{
    sigset_t all;

    (void)self;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    fault();
    return input;
}

static void a_blocked_fault_ends_the_host(const void *arg)
{
    (void)arg;
    (void)run(block_all_and_fault, NULL);
}

static void *ignore_and_fault(moat_co *self, void *input)
{
    (void)self;
    (void)signal(SIGSEGV, SIG_IGN);
    fault();
    return input;
}

static void an_ignored_fault_ends_the_host(const void *arg)
{
    (void)arg;
    (void)run(ignore_and_fault, NULL);
}

GUEST(replace_the_handler, (void)signal(SIGSEGV, SIG_DFL))

static void a_replaced_handler_is_reported(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(replace_the_handler, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
}

static void disable_the_signal_stack(void)
{
    const stack_t none = {NULL, SS_DISABLE, 0};

    (void)sigaltstack(&none, NULL);
}

static __attribute__((noinline)) int overflow(volatile int *outer)
{
    volatile int here[64];

    here[0] = *outer + 1;
    return here[0] > 0 ? overflow(here) + here[0] : 0;
}

GUEST(overflow_guest, {
    volatile int none = 0;
    (void)overflow(&none);
})

GUEST(overflow_without_it, {
    volatile int none = 0;
    disable_the_signal_stack();
    (void)overflow(&none);
})

static void an_overflow_without_signal_stack_ends_the_host(const void *arg)
{
    (void)arg;
    (void)run(overflow_without_it, NULL);
}

GUEST(lose_the_signal_stack, disable_the_signal_stack())

static void a_lost_signal_stack_is_reported(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(lose_the_signal_stack, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(run(overflow_guest, NULL).kind, MOAT_EVENT_TRAP);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* This file is compiled without -fexceptions. */
static void *fault_before_the_pop(moat_co *self, void *input)
{
    (void)self;
    pthread_cleanup_push(do_nothing, NULL);
    fault();
    pthread_cleanup_pop(0);
    return input;
}

static void *stop_it_and_exit(void *arg)
{
    moat_co *co;

    EXPECT_EQ(run_with(fault_before_the_pop, arg, NULL, &co).kind,
              MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    pthread_exit(arg);
}

static void a_cleanup_that_is_left_ends_the_host(const void *arg)
{
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, stop_it_and_exit, NULL) == 0);
    (void)pthread_join(thread, NULL);
}

static void *block_and_return(moat_co *self, void *input)
{
    sigset_t all;

    (void)self;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    return input;
}

static void a_left_mask_is_reported(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(block_and_return, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT(moat_engine_check() != MOAT_OK);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

/* ---- Jumps, locks, memory ---- */

static jmp_buf outside;

GUEST(jump_out, longjmp(outside, 1))

static void a_longjmp_out_is_reported(const void *arg)
{
    static moat_co *co;
    moat_co *other = NULL;
    moat_event event;

    (void)arg;
    REQUIRE(moat_co_create(&co, jump_out, NULL) == MOAT_OK);
    if (setjmp(outside) == 0)
        (void)!moat_co_resume(co, NULL, &event);
    EXPECT_EQ(moat_engine_check(), MOAT_E_STACK);
    EXPECT_EQ(moat_co_create(&other, jump_out, NULL), MOAT_E_STACK);
    moat_co_destroy(co);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_co_create(&other, jump_out, NULL), MOAT_OK);
}

static void *lock_and_fault(moat_co *self, void *input)
{
    (void)self;
    (void)pthread_mutex_lock(input);
    fault();
    return input;
}

static void a_mutex_stays_locked(const void *arg)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    (void)arg;
    EXPECT_EQ(run(lock_and_fault, &mutex).kind, MOAT_EVENT_TRAP);
    EXPECT(pthread_mutex_trylock(&mutex) != 0);
}

static void release(void *arg)
{
    (void)pthread_mutex_unlock(arg);
}

static void *lock_by_a_deferred_release(moat_co *self, void *input)
{
    REQUIRE(moat_co_defer(self, release, input) == MOAT_OK);
    return lock_and_fault(self, input);
}

static void a_deferred_release_unlocks_it(const void *arg)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    moat_co *co;

    (void)arg;
    EXPECT_EQ(run_with(lock_by_a_deferred_release, &mutex, NULL, &co).kind,
              MOAT_EVENT_TRAP);
    moat_co_destroy(co);
    EXPECT_EQ(pthread_mutex_trylock(&mutex), 0);
}

/* Overwrites the size of the block after `input`'s. */
static void *write_past_a_block(moat_co *self, void *input)
{
    unsigned char *volatile block = input;

    (void)self;
    memset(block, 0x41, 64);
    return input;
}

static void a_damaged_heap_ends_the_host(const void *arg)
{
    char *volatile block = malloc(24);
    char *volatile next = malloc(24);

    (void)arg;
    REQUIRE(block != NULL && next != NULL);
    EXPECT_EQ(run(write_past_a_block, block).kind, MOAT_EVENT_RETURN);
    free(next);
}

static int host_variable = 1;

GUEST(write_to_the_host, *(volatile int *)input = 2)

static void a_store_into_the_host_is_silent(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(write_to_the_host, &host_variable).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(host_variable, 2);
}

GUEST(close_it, (void)close(*(int *)input))

static void a_closed_descriptor_is_closed(const void *arg)
{
    int fd = open("/dev/null", O_RDONLY);

    (void)arg;
    REQUIRE(fd >= 0);
    EXPECT_EQ(run(close_it, &fd).kind, MOAT_EVENT_RETURN);
    EXPECT(fcntl(fd, F_GETFD) == -1);
}

/* The handler finds its thread-local variables by this register. */
static void *move_the_thread_register(moat_co *self, void *input)
{
    long result = SYS_arch_prctl;

    (void)self;
    (void)input;
    __asm__ volatile("syscall\n\t"
                     "movl $1, 0\n\t"
                     : "+a"(result)
                     : "D"((long)ARCH_SET_FS), "S"(0L)
                     : "rcx", "r11", "memory");
    return NULL;
}

static void a_moved_thread_register_ends_the_host(const void *arg)
{
    (void)arg;
    (void)run(move_the_thread_register, NULL);
}

/* ---- Faults that are the host's ---- */

static void *fault_for_the_guest(void *arg)
{
    fault();
    return arg;
}

static void *call_the_host(moat_co *self, void *input)
{
    return moat_call_on_parent(self, fault_for_the_guest, input);
}

static void a_fault_in_a_host_call_is_the_hosts(const void *arg)
{
    (void)arg;
    (void)run(call_the_host, NULL);
}

static void *call_for_the_guest(moat_co *self, void *input)
{
    return moat_call_for_guest(self, fault_for_the_guest, NULL, input);
}

static void one_in_a_call_for_the_guest_is_not(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(call_for_the_guest, NULL).kind, MOAT_EVENT_TRAP);
}

/* ---- Time ---- */

static void *spin_until_blocked_signals_end(moat_co *self, void *input)
{
    sigset_t all, before;
    struct timespec start, now;

    (void)self;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    do {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000 +
                 (now.tv_nsec - start.tv_nsec) / 1000000 <
             100);
    *(bool *)input = true; /* long after its limit */
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (;;)
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return NULL;
}

static void a_blocked_deadline_waits(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    bool was_late = false;
    moat_co *co;

    (void)arg;
    limits.resume_cpu_ns = 20000000;
    options.limits = &limits;
    EXPECT_EQ(
        run_with(spin_until_blocked_signals_end, &was_late, &options, &co).kind,
        MOAT_EVENT_TRAP);
    EXPECT(was_late);
}

static const struct child_case cases[] = {
    {"exit_ends_the_host", exit_ends_the_host, NULL, NULL, 0, 3},
    {"raise_sigterm_ends_the_host", raise_sigterm_ends_the_host, NULL, NULL,
     SIGTERM, 0},
    {"sigkill_ends_the_host", sigkill_ends_the_host, NULL, NULL, SIGKILL, 0},
    {"exec_replaces_the_host", exec_replaces_the_host, NULL, NULL, 0, 9},
    {"a_raw_system_call_ends_the_host", a_raw_system_call_ends_the_host, NULL,
     NULL, 0, 4},
    {"a_guests_thread_faults", a_guests_thread_faults, NULL, NULL, SIGSEGV, 0},
    {"pthread_exit_is_an_abort", pthread_exit_is_an_abort, NULL, SANITIZED, 0,
     0},
    CHILD_CASE(a_forked_child_does_not_return),
    {"sigpipe_ends_the_host", sigpipe_ends_the_host, NULL, NULL, SIGPIPE, 0},
    CHILD_CASE(an_ignored_sigpipe_does_not),
    {"a_blocked_fault_ends_the_host", a_blocked_fault_ends_the_host, NULL, NULL,
     SIGSEGV, 0},
    {"an_ignored_fault_ends_the_host", an_ignored_fault_ends_the_host, NULL,
     NULL, SIGSEGV, 0},
    CHILD_CASE(a_replaced_handler_is_reported),
    {"a_cleanup_that_is_left_ends_the_host",
     a_cleanup_that_is_left_ends_the_host, NULL, SANITIZED, SIGABRT, 0},
    {"an_overflow_without_signal_stack_ends_the_host",
     an_overflow_without_signal_stack_ends_the_host, NULL, SANITIZED, SIGSEGV,
     0},
    {"a_lost_signal_stack_is_reported", a_lost_signal_stack_is_reported, NULL,
     SANITIZED, 0, 0},
    CHILD_CASE(a_left_mask_is_reported),
    {"a_longjmp_out_is_reported", a_longjmp_out_is_reported, NULL, SANITIZED, 0,
     0},
    CHILD_CASE(a_mutex_stays_locked),
    CHILD_CASE(a_deferred_release_unlocks_it),
    {"a_damaged_heap_ends_the_host", a_damaged_heap_ends_the_host, NULL,
     SANITIZED, SIGABRT, 0},
    CHILD_CASE(a_store_into_the_host_is_silent),
    CHILD_CASE(a_closed_descriptor_is_closed),
    {"a_moved_thread_register_ends_the_host",
     a_moved_thread_register_ends_the_host, NULL, SANITIZED, SIGSEGV, 0},
    {"a_fault_in_a_host_call_is_the_hosts", a_fault_in_a_host_call_is_the_hosts,
     NULL, NULL, SIGSEGV, 0},
    {"one_in_a_call_for_the_guest_is_not", one_in_a_call_for_the_guest_is_not,
     NULL, SANITIZED, 0, 0},
    {"a_blocked_deadline_waits", a_blocked_deadline_waits, NULL, SANITIZED, 0,
     0},
};

int main(int argc, char **argv)
{
    return child_cases_run("what still ends a host", cases,
                           sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
