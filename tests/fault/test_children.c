/*
 * test_children.c: processes that guests make. Whose process a fault is in, and
 * that no child of a guest comes back to the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

extern char **environ;

/* If a child hangs, it must not outlive the test. */
#define CHILD_SECONDS 120

#define KILLED_BY(signo) (256 + (signo))

static moat_co *create(moat_entry entry, uint64_t flags, uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = wall_ns;
    options.flags = flags;
    options.name = "parent";
    options.limits = wall_ns != 0 ? &limits : NULL;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

/* Counts over all processes. */
struct counts {
    atomic_int returns;  /* of the resume in which the guest forked */
    atomic_int handlers; /* calls of the host's handler             */
};

static struct counts *counts;

static void share_counts(void)
{
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(counts != MAP_FAILED);
}

static void on_hosts_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&counts->handlers, 1);
    _exit(99);
}

/* ---- Children that share the memory ---- */

static void abort_call(void)
{
    abort();
}

static void illegal(void)
{
    __builtin_trap();
}

static volatile int depth;

static void recurse(void)
{
    volatile char frame[4096];

    frame[0] = 1;
    if (++depth != 0)
        recurse();
    frame[1] = frame[0];
}

static void endless(void)
{
    depth = 0;
    recurse();
}

struct crime {
    void (*commit)(void);
    int signo;
    pid_t child;
};

/* The child runs on this frame, so it commits its crime in another. */
static void *vfork_and_wait(moat_co *self, void *input)
{
    struct crime *crime = input;
    pid_t child = vfork();

    (void)self;
    if (child == 0) {
        crime->commit();
        _exit(7);
    }
    EXPECT_EQ(exit_status_of(child), KILLED_BY(crime->signo));
    return input;
}

static void a_fault_in_a_vfork_child_is_the_childs(const void *arg)
{
    static struct crime crimes[] = {
        {write_null, SIGSEGV, 0},
        {illegal, SIGILL, 0},
        {abort_call, SIGABRT, 0},
        {endless, SIGSEGV, 0},
    };

    (void)arg;
    share_counts();
    for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++) {
        moat_co *co = create(vfork_and_wait, 0, 0);

        expect_context("crime %zu", i);
        EXPECT_EQ(guest_resume(co, &crimes[i]).kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
        moat_co_destroy(co);
        /* The parent's handlers are as they were. */
        guest_expect_trap(create(guest_write_null, 0, 0), NULL, MOAT_TRAP_NULL);
    }
}

static void vfork_and_wait_in_section(void *arg)
{
    (void)vfork_and_wait(NULL, arg);
}

static void *vfork_in_sections(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_notrap_call(vfork_and_wait_in_section, input, NULL),
              MOAT_OK);
    moat_notrap_enter();
    (void)vfork_and_wait(NULL, input);
    moat_notrap_leave();
    return input;
}

/* The child neither lands in its parent's recovery point nor calls the host's
 * handler. */
static void the_hosts_handler_never_runs_in_a_vfork_child(const void *arg)
{
    struct crime crime = {write_null, SIGSEGV, 0};

    (void)arg;
    share_counts();
    if (getenv("MOAT_TRAP_SOURCE") == NULL ||
        strcmp(getenv("MOAT_TRAP_SOURCE"), "manual") != 0)
        REQUIRE(signal(SIGSEGV, on_hosts_signal) != SIG_ERR);
    EXPECT_EQ(guest_resume(create(vfork_in_sections, 0, 0), &crime).kind,
              MOAT_EVENT_RETURN);
    EXPECT_EQ(counts->handlers, 0);
}

static char clone_stack[64 << 10] __attribute__((aligned(64)));

static int fault_on_own_stack(void *arg)
{
    ((struct crime *)arg)->commit();
    return 7;
}

static int clone_flags;

/* Not suspended: it runs beside its child. */
static void *clone_and_wait(moat_co *self, void *input)
{
    struct crime *crime = input;
    int child = clone(fault_on_own_stack, clone_stack + sizeof clone_stack,
                      clone_flags, input);

    (void)self;
    REQUIRE(child > 0);
    EXPECT_EQ(exit_status_of(child), KILLED_BY(crime->signo));
    return input;
}

static void a_fault_in_a_clone_with_its_memory_is_the_childs(const void *arg)
{
    struct crime crime = {write_null, SIGSEGV, 0};

    (void)arg;
    clone_flags = CLONE_VM | SIGCHLD;
    EXPECT_EQ(guest_resume(create(clone_and_wait, 0, 0), &crime).kind,
              MOAT_EVENT_RETURN);
    guest_expect_trap(create(guest_write_null, 0, 0), NULL, MOAT_TRAP_NULL);
}

/* The signal's default action would be its parent's, too. */
static void a_clone_with_its_handlers_is_killed(const void *arg)
{
    struct crime crime = {write_null, SIGKILL, 0};

    (void)arg;
    if (syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0) != 0)
        child_leave_out("the kernel has no kcmp");
    clone_flags = CLONE_VM | CLONE_SIGHAND | SIGCHLD;
    EXPECT_EQ(guest_resume(create(clone_and_wait, 0, 0), &crime).kind,
              MOAT_EVENT_RETURN);
    guest_expect_trap(create(guest_write_null, 0, 0), NULL, MOAT_TRAP_NULL);
}

static int spawn_shell(const char *script)
{
    char shell[] = "sh", option[] = "-c";
    char *arguments[] = {shell, option, (char *)(uintptr_t)script, NULL};
    pid_t child;

    REQUIRE(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) ==
            0);
    return exit_status_of(child);
}

static void *spawn_programs(moat_co *self, void *input)
{
    pid_t child = -1;
    char name[] = "no such program";
    char *arguments[] = {name, NULL};

    (void)self;
    EXPECT_EQ(spawn_shell("exit 3"), 3);
    EXPECT_EQ(spawn_shell("kill -SEGV $$"), KILLED_BY(SIGSEGV));
    EXPECT(posix_spawn(&child, "/nowhere", NULL, NULL, arguments, environ) !=
           0);
    EXPECT_EQ(system("exit 4"), 4 << 8);
    return input;
}

static void guests_spawn_programs(const void *arg)
{
    moat_co *co = create(spawn_programs, 0, 0);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
}

/* ---- Forked children ---- */

/* The child's work after the fork, and how it must end. */
struct child_plan {
    void *(*go_on)(moat_co *self, struct child_plan *plan);
    int status;
    const char *line; /* in what it writes to standard error; NULL: nothing */
    pid_t child;
    int errors; /* the read end of its standard error */
};

static pid_t fork_with_errors(struct child_plan *plan)
{
    int ends[2];

    REQUIRE(pipe(ends) == 0);
    plan->child = fork();
    if (plan->child == 0) {
        (void)alarm(CHILD_SECONDS);
        (void)dup2(ends[1], STDERR_FILENO);
    }
    (void)close(ends[1]);
    plan->errors = ends[0];
    return plan->child;
}

static void *fork_once(moat_co *self, void *input)
{
    struct child_plan *plan = input;

    if (fork_with_errors(plan) == 0)
        return plan->go_on(self, plan);
    return input;
}

static void expect_line(const struct child_plan *plan)
{
    char text[1024] = "";
    size_t length = 0;
    ssize_t got;

    while (length < sizeof text - 1 &&
           (got = read(plan->errors, text + length, sizeof text - 1 - length)) >
               0)
        length += (size_t)got;
    if (plan->line == NULL)
        EXPECT_STR(text, "");
    else if (!EXPECT(strstr(text, plan->line) != NULL))
        EXPECT_STR(text, plan->line);
}

/* Only one process comes back from here. */
static void expect_one_host(moat_co *co, struct child_plan *plan)
{
    pid_t host = getpid();
    moat_event event = guest_resume(co, plan);

    atomic_fetch_add(&counts->returns, 1);
    if (getpid() != host)
        _exit(96);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(exit_status_of(plan->child), plan->status);
    expect_line(plan);
    EXPECT_EQ(counts->returns, 1);
    EXPECT_EQ(counts->handlers, 0);
    counts->returns = 0;
    (void)close(plan->errors);
}

static void *child_returns(moat_co *self, struct child_plan *plan)
{
    (void)self;
    return plan;
}

static void *child_yields(moat_co *self, struct child_plan *plan)
{
    (void)moat_co_yield(self, plan);
    _exit(95);
}

static void *child_transfers(moat_co *self, struct child_plan *plan)
{
    void *input;

    EXPECT(moat_co_switch_to(self, guest_create(guest_echo), plan, &input) !=
           MOAT_OK);
    _exit(95);
}

static void *child_faults(moat_co *self, struct child_plan *plan)
{
    (void)self;
    write_null();
    return plan;
}

static void *child_aborts(moat_co *self, struct child_plan *plan)
{
    (void)self;
    (void)plan;
    abort();
}

static void *child_overflows(moat_co *self, struct child_plan *plan)
{
    (void)self;
    endless();
    return plan;
}

static void *child_raises(moat_co *self, struct child_plan *plan)
{
    (void)self;
    (void)plan;
    moat_trap_raise(3);
}

static void *child_exits(moat_co *self, struct child_plan *plan)
{
    (void)self;
    (void)plan;
    _exit(5);
}

static void fault_in_section(void *arg)
{
    (void)arg;
    write_null();
}

/* Recovers by itself, and is a host for coroutines of its own. */
static void *child_goes_on(moat_co *self, struct child_plan *plan)
{
    moat_co *own = guest_create(guest_write_null);

    (void)plan;
    EXPECT_EQ(moat_notrap_call(fault_in_section, NULL, NULL), MOAT_E_FAULT);
    guest_expect_trap(own, NULL, MOAT_TRAP_NULL);
    EXPECT(moat_co_current() == self);
    EXPECT(moat_engine_check() == MOAT_OK);
    _exit(expect_failures() == 0 ? 6 : 94);
}

/* Its own children are no hosts either. */
static void *child_forks(moat_co *self, struct child_plan *plan)
{
    struct child_plan inner = {child_returns, MOAT_FORK_EXIT_STATUS, "returned",
                               0, 0};

    (void)plan;
    if (fork_with_errors(&inner) == 0)
        return self;
    EXPECT_EQ(exit_status_of(inner.child), inner.status);
    expect_line(&inner);
    _exit(expect_failures() == 0 ? 6 : 94);
}

static void no_child_of_a_guest_is_a_second_host(const void *arg)
{
    static struct child_plan plans[] = {
        {child_returns, MOAT_FORK_EXIT_STATUS, "\"parent\" ends: its entry", 0,
         0},
        {child_yields, MOAT_FORK_EXIT_STATUS, "it yielded", 0, 0},
        {child_transfers, MOAT_FORK_EXIT_STATUS, "it yielded", 0, 0},
        {child_raises, MOAT_FORK_EXIT_STATUS, "raised", 0, 0},
        {child_faults, KILLED_BY(SIGSEGV), "a fault ends", 0, 0},
        {child_aborts, KILLED_BY(SIGABRT), "a fault ends", 0, 0},
        {child_overflows, KILLED_BY(SIGSEGV), "a fault ends", 0, 0},
        {child_exits, 5, NULL, 0, 0},
        {child_goes_on, 6, NULL, 0, 0},
        {child_forks, 6, NULL, 0, 0},
    };

    (void)arg;
    share_counts();
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        expect_context("plan %zu", i);
        expect_one_host(create(fork_once, 0, 0), &plans[i]);
        /* The slow path has limits. */
        expect_one_host(create(fork_once, 0, 3600000 * MS), &plans[i]);
    }
}

/* ---- Limits in the child ---- */

static void *child_loops(moat_co *self, struct child_plan *plan)
{
    return guest_loop(self, plan);
}

/* The parent's guest returns at once. */
static void a_limit_goes_on_in_the_child(const void *arg)
{
    struct child_plan plan = {child_loops, MOAT_FORK_EXIT_STATUS, "limit", 0,
                              0};

    (void)arg;
    share_counts();
    expect_one_host(guest_create_limited(fork_once, 100 * MS, 0), &plan);
    /* The parent has to return before, also on a busy machine. */
    expect_one_host(create(fork_once, 0, 500 * MS), &plan);
}

/* No code of moat's runs in a raw fork, and no timer of the parent's is in the
 * child. */
static bool has_outlived;

static void *fork_raw_and_outlive(moat_co *self, void *input)
{
    moat_co *limited = create(guest_echo, 0, 3600000 * MS);
    uint64_t until;
    pid_t *child = input;

    *child = (pid_t)syscall(SYS_fork);
    if (*child != 0)
        return input;
    until = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 200 * MS;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < until)
        continue;
    has_outlived = true;
    (void)guest_resume(limited, NULL);
    return guest_loop(self, input);
}

static void a_limit_comes_late_in_a_raw_child(const void *arg)
{
    moat_co *co = guest_create_limited(fork_raw_and_outlive, 100 * MS, 0);
    pid_t host = getpid(), child = -1;
    moat_event event;

    (void)arg;
    event = guest_resume(co, &child);
    if (getpid() != host)
        _exit(event.kind == MOAT_EVENT_TRAP && has_outlived ? 0 : 94);
    EXPECT_EQ(exit_status_of(child), 0);
}

/* The first timer of each process has the same number: here it is the host's,
 * in the child it would be moat's. */
static void a_vfork_child_leaves_the_timer_alone(const void *has_timer)
{
    struct sigevent silent = {.sigev_notify = SIGEV_NONE};
    moat_co *idle = create(guest_echo, 0, 3600000 * MS);
    moat_co *loop = create(guest_loop, 0, 50 * MS);
    static moat_status status;
    static moat_event event;
    timer_t hosts;
    pid_t child;

    (void)alarm(CHILD_SECONDS / 4);
    REQUIRE(timer_create(CLOCK_MONOTONIC, &silent, &hosts) == 0);
    if (has_timer != NULL)
        EXPECT_EQ(guest_resume(idle, NULL).kind, MOAT_EVENT_YIELD);
    child = vfork();
    if (child == 0) {
        status = moat_co_resume(loop, NULL, &event);
        _exit(0);
    }
    EXPECT_EQ(exit_status_of(child), 0);
    EXPECT_EQ(status, MOAT_E_SYSTEM);
    EXPECT_EQ(guest_resume(loop, NULL).kind, MOAT_EVENT_TRAP);
    (void)timer_delete(hosts);
}

/* ---- Where the guest stands when it forks ---- */

static void *fork_on_hosts_stack(void *input)
{
    struct child_plan *plan = input;

    return fork_with_errors(plan) == 0 ? plan : NULL;
}

static void *fork_in_host_call(moat_co *self, void *input)
{
    struct child_plan *plan =
        moat_call_on_parent(self, fork_on_hosts_stack, input);

    if (plan != NULL)
        return plan->go_on(self, plan);
    return input;
}

static void *resume_one_that_forks(moat_co *self, void *input)
{
    moat_co *inner = create(fork_once, 0, 0);

    (void)self;
    (void)guest_resume(inner, input);
    return input;
}

static void *resume_one_that_forks_in_a_host_call(moat_co *self, void *input)
{
    moat_co *inner = create(fork_in_host_call, 0, 0);

    (void)self;
    (void)guest_resume(inner, input);
    return input;
}

static void fork_in_section(void *input)
{
    struct child_plan *plan = input;

    if (fork_with_errors(plan) == 0)
        (void)plan->go_on(moat_co_current(), plan);
}

/* In the child a fault ends the call, and then the guest returns. */
static void *fork_in_call(moat_co *self, void *input)
{
    struct child_plan *plan = input;

    (void)self;
    if (moat_notrap_call(fork_in_section, input, NULL) == MOAT_E_FAULT)
        EXPECT_EQ(plan->child, 0);
    return input;
}

static void wherever_the_guest_forks(const void *arg)
{
    struct child_plan returns = {child_returns, MOAT_FORK_EXIT_STATUS,
                                 "returned", 0, 0};
    struct child_plan faults = {child_faults, KILLED_BY(SIGSEGV),
                                "a fault ends", 0, 0};
    struct child_plan recovers = {child_faults, MOAT_FORK_EXIT_STATUS,
                                  "returned", 0, 0};

    (void)arg;
    share_counts();
    expect_one_host(create(fork_in_host_call, 0, 0), &returns);
    expect_one_host(create(fork_in_host_call, 0, 0), &faults);
    expect_one_host(create(resume_one_that_forks, 0, 0), &returns);
    expect_one_host(create(resume_one_that_forks, 0, 0), &faults);
    expect_one_host(create(resume_one_that_forks_in_a_host_call, 0, 0),
                    &returns);
    expect_one_host(create(fork_in_call, 0, 0), &returns);
    expect_one_host(create(fork_in_call, 0, 0), &recovers);
}

/* Returns where the outermost frame of the caller's chain is. */
static uintptr_t outermost_pc(void)
{
    moat_frame frames[128];
    size_t count = 0;

    EXPECT_EQ(moat_backtrace(frames, 128, &count), MOAT_OK);
    return count > 0 ? frames[count - 1].pc : 0;
}

static uintptr_t hosts_outermost_pc;

/* The chain of frames is whole in the child: the border hides none. */
static void *child_walks(moat_co *self, struct child_plan *plan)
{
    (void)self;
    (void)plan;
    EXPECT_EQ(outermost_pc(), hosts_outermost_pc);
    _exit(expect_failures() == 0 ? 6 : 94);
}

/* ---- Allowed ---- */

static void an_option_lets_the_child_return(const void *arg)
{
    struct child_plan plan = {child_returns, 0, NULL, 0, 0};
    moat_co *co = create(fork_once, MOAT_CO_FORK_RETURNS, 0);
    pid_t host = getpid();

    (void)arg;
    EXPECT_EQ(guest_resume(co, &plan).kind, MOAT_EVENT_RETURN);
    if (getpid() != host)
        _exit(EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE) ? 0 : 94);
    EXPECT_EQ(exit_status_of(plan.child), 0);

    plan.go_on = child_faults;
    co = create(fork_once, MOAT_CO_FORK_RETURNS, 0);
    if (guest_resume(co, &plan).kind == MOAT_EVENT_TRAP)
        _exit(getpid() != host ? 0 : 94);
    EXPECT_EQ(exit_status_of(plan.child), 0);
}

static void the_flag_is_checked(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    (void)arg;
    options.flags = MOAT_CO_EXACT_USAGE << 1;
    EXPECT_EQ(moat_co_create(&co, guest_echo, &options), MOAT_E_INVAL);
}

/* ---- Children of the host ---- */

static void children_of_the_host_are_hosts(const void *arg)
{
    moat_co *co = guest_create(guest_echo);
    pid_t child;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    child = fork();
    if (child == 0) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        child_exit();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        child_exit();
    }
    EXPECT_EQ(exit_status_of(child), 0);
}

/* After a raw fork the copy of the thread is the thread; a child of that one
 * which shares its memory is not. */
static void a_raw_child_has_vfork_children_of_its_own(const void *arg)
{
    struct crime crime = {write_null, SIGSEGV, 0};
    pid_t child;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    child = (pid_t)syscall(SYS_fork);
    if (child == 0) {
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(guest_resume(guest_create(vfork_and_wait), &crime).kind,
                  MOAT_EVENT_RETURN);
        child_exit();
    }
    EXPECT_EQ(exit_status_of(child), 0);
}

static void the_child_has_the_whole_chain(const void *arg)
{
    struct child_plan plan = {child_walks, 6, NULL, 0, 0};

    (void)arg;
    share_counts();
    hosts_outermost_pc = outermost_pc();
    EXPECT(hosts_outermost_pc != 0);
    expect_one_host(create(fork_once, 0, 0), &plan);
    expect_one_host(create(resume_one_that_forks, 0, 0), &plan);
}

/* --- a signal handler that forks ------------------------------------------ */

static long steps;
static bool is_child;

/* At some of the instructions of a function, of which some hold locks. */
static void fork_at_step(int signo)
{
    int status = -1;
    pid_t child;

    (void)signo;
    if (is_child || ++steps % 31 != 0)
        return;
    child = fork();
    is_child = child == 0;
    if (is_child)
        return;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT_EQ(status, 0);
}

static void set_trap_flag(void)
{
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void clear_trap_flag(void)
{
    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

/* It waits for no lock that the function below it holds, and in the child that
 * function comes to its end as well. */
static void a_handler_may_fork_in_the_middle(const void *arg)
{
    struct sigaction action = {.sa_handler = fork_at_step};
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    (void)arg;
    (void)alarm(CHILD_SECONDS / 4);
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(moat_engine_get_info(&info) == MOAT_OK);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    set_trap_flag();
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    clear_trap_flag();
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    if (is_child)
        _exit(0);
    EXPECT(steps > 31);
}

#if UNDER_ASAN || UNDER_TSAN
#    define NEEDS_STEPS "the sanitizer's code would be stepped through"
#else
#    define NEEDS_STEPS NULL
#endif

static const struct child_case cases[] = {
    {"a_handler_may_fork_in_the_middle", a_handler_may_fork_in_the_middle, NULL,
     NEEDS_STEPS, 0, 0},
    CHILD_CASE(a_fault_in_a_vfork_child_is_the_childs),
    CHILD_CASE(the_hosts_handler_never_runs_in_a_vfork_child),
    CHILD_CASE(a_fault_in_a_clone_with_its_memory_is_the_childs),
    CHILD_CASE(a_clone_with_its_handlers_is_killed),
    CHILD_CASE(guests_spawn_programs),
    CHILD_CASE(no_child_of_a_guest_is_a_second_host),
    CHILD_CASE(a_limit_goes_on_in_the_child),
    {"a_limit_comes_late_in_a_raw_child", a_limit_comes_late_in_a_raw_child,
     NULL, UNDER_TSAN ? "signals are delayed" : NULL, 0, 0},
    CHILD_CASE(a_vfork_child_leaves_the_timer_alone),
    {"a_vfork_child_leaves_an_old_timer_alone",
     a_vfork_child_leaves_the_timer_alone, "", NULL, 0, 0},
    CHILD_CASE(wherever_the_guest_forks),
    CHILD_CASE(the_child_has_the_whole_chain),
    CHILD_CASE(an_option_lets_the_child_return),
    CHILD_CASE(the_flag_is_checked),
    CHILD_CASE(children_of_the_host_are_hosts),
    CHILD_CASE(a_raw_child_has_vfork_children_of_its_own),
};

int main(int argc, char **argv)
{
    return child_cases_run("children of guests and of hosts", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
