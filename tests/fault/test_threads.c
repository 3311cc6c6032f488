/*
 * test_threads.c: threads that start in unusual states: all signals blocked,
 * forked while other threads worked, created by a raw system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/moat.h>
#include <moat/source.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"

/* If a child hangs, its own child process must not outlive the test. */
#define GRANDCHILD_SECONDS 120

/* ---- All signals blocked ---- */

static void block_all_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
}

/* Runs from attach to detach of the thread. */
static void expect_traps_behind_the_mask(moat_entry entry, uint64_t wall_ns,
                                         moat_trap_kind kind)
{
    struct thread_signals before;
    moat_co *co;

    thread_signals_note(&before);
    co = guest_create_limited(entry, 0, wall_ns);
    for (int i = 0; i < 3; i++) {
        guest_expect_trap(co, NULL, kind);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    thread_signals_expect_kept(&before);
}

static void *masked_thread(void *arg)
{
    block_all_signals();
    expect_traps_behind_the_mask(guest_write_null, 0, MOAT_TRAP_NULL);
    expect_traps_behind_the_mask(guest_loop, 5 * MS, MOAT_TRAP_DEADLINE);
    expect_traps_behind_the_mask(guest_write_null, 0, MOAT_TRAP_NULL);
    return arg;
}

static void a_null_write_traps_where_all_signals_were_blocked(const void *arg)
{
    (void)arg;
    block_all_signals();
    expect_traps_behind_the_mask(guest_write_null, 0, MOAT_TRAP_NULL);
}

static void a_deadline_cuts_where_all_signals_were_blocked(const void *arg)
{
    (void)arg;
    block_all_signals();
    expect_traps_behind_the_mask(guest_loop, 5 * MS, MOAT_TRAP_DEADLINE);
}

static void
every_thread_gets_its_own_mask_back_when_it_detaches(const void *arg)
{
    pthread_t threads[3];

    (void)arg;
    for (size_t i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, masked_thread, NULL) == 0);
    for (size_t i = 0; i < 3; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

/* ---- Blocked afterwards ---- */

static void block(int signo)
{
    sigset_t one;

    (void)sigemptyset(&one);
    (void)sigaddset(&one, signo);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &one, NULL) == 0);
}

/* moat_engine_check reports it, and an attach repairs it. */
static void expect_told_and_repaired(void (*spoil)(void))
{
    moat_co *fault = guest_create(guest_write_null);
    moat_co *loop = guest_create_limited(guest_loop, 0, 5 * MS);

    guest_expect_trap(loop, NULL, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    spoil();
    EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_co_reset(loop), MOAT_OK);
    guest_expect_trap(loop, NULL, MOAT_TRAP_DEADLINE);
    guest_expect_trap(fault, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(loop);
    moat_co_destroy(fault);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
}

static void block_the_deadline_signal(void)
{
    block(SIGRTMAX - 3);
}

static void block_a_fault(void)
{
    block(SIGFPE);
}

static void signals_blocked_after_the_attach_are_told(const void *arg)
{
    struct thread_signals before;

    (void)arg;
    thread_signals_note(&before);
    expect_told_and_repaired(block_all_signals);
    REQUIRE(pthread_sigmask(SIG_SETMASK, &before.mask, NULL) == 0);
    expect_told_and_repaired(block_the_deadline_signal);
    thread_signals_expect_kept(&before);
    expect_told_and_repaired(block_a_fault);
    thread_signals_expect_kept(&before);
}

/* moat needs neither the fault signals of a thread without coroutines nor its
 * deadline signal before there is a limit. */
static void what_moat_does_not_need_may_be_blocked(const void *arg)
{
    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    block_all_signals();
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    block(SIGUSR1);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
}

/* ---- fork ---- */

static _Noreturn void end_grandchild(void)
{
    _exit(expect_failures() == 0 ? 0 : CHILD_FAILED);
}

static atomic_bool describing;

static bool describe_caller(void)
{
    moat_frame frame;
    size_t count = 0;
    char text[512];

    (void)moat_backtrace(&frame, 1, &count);
    return count == 1 &&
           moat_frame_describe(&frame, text, sizeof(text)) == MOAT_OK;
}

static void *describe_for_ever(void *arg)
{
    while (describe_caller())
        atomic_store(&describing, true);
    return arg;
}

static void a_child_forked_while_another_thread_describes_frames_can_describe(
    const void *arg)
{
    pthread_t thread;

    (void)arg;
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    REQUIRE(pthread_create(&thread, NULL, describe_for_ever, NULL) == 0);
    while (!atomic_load(&describing))
        (void)sched_yield();
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();

        if (child == 0) {
            (void)alarm(GRANDCHILD_SECONDS);
            EXPECT(describe_caller());
            end_grandchild();
        }
        REQUIRE(EXPECT_EQ(exit_status_of(child), 0));
    }
}

#define WALKERS 3
#define DEEP    40
#define FORKS   200

/* Walks as many frames as fit, from a depth of DEEP calls. */
static __attribute__((noinline)) bool walk_from_below(volatile int depth)
{
    moat_frame frames[2 * DEEP];
    size_t count = 0;
    bool well;

    if (depth > 0) {
        well = walk_from_below(depth - 1);
        return well && depth > 0;
    }
    (void)moat_backtrace(frames, 2 * DEEP, &count);
    return count > DEEP;
}

static atomic_uint walking;
static atomic_bool walked_enough;

static void *walk_until_told(void *arg)
{
    bool well = true;

    (void)atomic_fetch_add(&walking, 1);
    while (well && !atomic_load(&walked_enough))
        well = walk_from_below(DEEP);
    EXPECT(well);
    return arg;
}

static void
a_child_forked_while_other_threads_walk_stacks_can_walk_its_own(const void *arg)
{
    pthread_t threads[WALKERS];

    (void)arg;
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    for (size_t i = 0; i < WALKERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, walk_until_told, NULL) == 0);
    while (atomic_load(&walking) < WALKERS)
        (void)sched_yield();
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();

        if (child == 0) {
            (void)alarm(GRANDCHILD_SECONDS);
            EXPECT(walk_from_below(DEEP));
            end_grandchild();
        }
        REQUIRE(EXPECT_EQ(exit_status_of(child), 0));
    }
    atomic_store(&walked_enough, true);
    for (size_t i = 0; i < WALKERS; i++)
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
}

/* Uses each function that looks at a stack. */
static void look_at_stacks(moat_co *trapped)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    moat_frame frames[2 * DEEP];
    size_t count;

    REQUIRE(null >= 0);
    EXPECT(describe_caller());
    EXPECT_EQ(moat_co_backtrace(trapped, frames, 2 * DEEP, &count), MOAT_OK);
    EXPECT(!moat_co_is_poisoned(trapped));
    EXPECT_EQ(moat_co_print_report(trapped, null), MOAT_OK);
    EXPECT_EQ(moat_co_write_json(trapped, null), MOAT_OK);
    (void)close(null);
}

static void *fork_and_describe(void *arg)
{
    pid_t child = fork();

    if (child == 0) {
        EXPECT(describe_caller());
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    return arg;
}

/* If a walk stayed registered, the fork would wait for it for ever. */
static void a_fork_waits_for_no_walk_that_has_ended(const void *arg)
{
    moat_co *trapped = guest_create(guest_write_null);
    pthread_t thread;

    (void)arg;
    guest_expect_trap(trapped, NULL, MOAT_TRAP_NULL);
    look_at_stacks(trapped);
    (void)alarm(GRANDCHILD_SECONDS);
    REQUIRE(pthread_create(&thread, NULL, fork_and_describe, NULL) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    moat_co_destroy(trapped);
}

/* The first init takes long, because its source does. */
static atomic_bool installing;

static moat_status install_slowly(void)
{
    atomic_store(&installing, true);
    spin_until(clock_ns(CLOCK_MONOTONIC) + 50 * MS);
    return moat_source_sigaction.install();
}

static moat_status check_plainly(void)
{
    return moat_source_sigaction.check();
}

static moat_status remove_plainly(void)
{
    return moat_source_sigaction.remove();
}

static const moat_source slow_source = {
    .version = MOAT_SOURCE_VERSION,
    .name = "slow",
    .install = install_slowly,
    .check = check_plainly,
    .remove = remove_plainly,
};

static void *init_for_the_first_time(void *arg)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    options.source = &slow_source;
    EXPECT_EQ(moat_engine_init(&options), MOAT_OK);
    return arg;
}

static void
a_child_forked_while_another_thread_inits_for_the_first_time_is_whole(
    const void *arg)
{
    pthread_t thread;
    pid_t child;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, init_for_the_first_time, NULL) == 0);
    while (!atomic_load(&installing))
        (void)sched_yield();
    child = fork();
    if (child == 0) {
        (void)alarm(GRANDCHILD_SECONDS);
        EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static atomic_bool created;

static void *create_and_wait(void *arg)
{
    moat_co *suspended = guest_create(guest_echo);
    moat_co *trapped = guest_create(guest_write_null);

    EXPECT_EQ(guest_resume(suspended, NULL).kind, MOAT_EVENT_YIELD);
    guest_expect_trap(trapped, NULL, MOAT_TRAP_NULL);
    atomic_store(&created, true);
    for (;;)
        (void)pause();
    return arg;
}

static void
a_forked_child_shuts_down_despite_the_other_threads_coroutines(const void *arg)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;
    pthread_t thread;
    pid_t child;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, create_and_wait, NULL) == 0);
    while (!atomic_load(&created))
        (void)sched_yield();
    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    EXPECT_EQ(info.live, 2);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_E_STATE);
    child = fork();
    if (child == 0) {
        EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
        EXPECT_EQ(info.live, 0);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
        guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
}

/* Neither runs the C library's fork handlers, so the engine is not notified. */
static pid_t raw_fork(void)
{
    return (pid_t)syscall(SYS_fork);
}

static pid_t raw_clone(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void expect_cut_in_the_child_of(pid_t (*make_child)(void))
{
    moat_co *before = guest_create_limited(guest_loop, 0, 5 * MS);
    pid_t child;

    guest_expect_trap(before, NULL, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(moat_co_reset(before), MOAT_OK);
    child = make_child();
    if (child == 0) {
        (void)alarm(GRANDCHILD_SECONDS);
        guest_expect_trap(before, NULL, MOAT_TRAP_DEADLINE);
        guest_expect_trap(guest_create_limited(guest_loop, 5 * MS, 0), NULL,
                          MOAT_TRAP_DEADLINE);
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    guest_expect_trap(before, NULL, MOAT_TRAP_DEADLINE);
}

static void a_limited_guest_is_cut_in_the_child_of_a_raw_fork(const void *arg)
{
    (void)arg;
    expect_cut_in_the_child_of(raw_fork);
}

static void a_limited_guest_is_cut_in_the_child_of_a_raw_clone(const void *arg)
{
    (void)arg;
    expect_cut_in_the_child_of(raw_clone);
}

/* The child must not rely on the timer that its parent has set. */
static void a_limited_guest_is_cut_in_a_raw_child_made_while_the_timer_is_set(
    const void *arg)
{
    moat_co *sooner = guest_create_limited(guest_echo, 0, 50 * MS);
    moat_co *later = guest_create_limited(guest_loop, 0, 100 * MS);
    pid_t child;

    (void)arg;
    EXPECT_EQ(guest_resume(sooner, NULL).kind, MOAT_EVENT_YIELD);
    child = raw_fork();
    if (child == 0) {
        (void)alarm(GRANDCHILD_SECONDS);
        guest_expect_trap(later, NULL, MOAT_TRAP_DEADLINE);
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
}

/* ---- The child's CPU clock starts at 0 ---- */

struct cpu_fork {
    pid_t (*make_child)(void);
    uint64_t before_ns; /* CPU time of the guest before the fork */
    uint64_t loop_ns;   /* how long the child's guest loops */
    moat_co *outer;     /* has the limit; its guest forks */
    pid_t child;
};

static void spin_until_cpu(uint64_t thread_cpu_ns)
{
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < thread_cpu_ns)
        ;
}

/* The engine notices the child of a raw fork at a limited resume. */
static void *fork_then_loop(moat_co *self, void *input)
{
    struct cpu_fork *plan = input;
    moat_co *quick = guest_create_limited(guest_echo, 0, 3600000 * MS);

    spin_until_cpu(clock_ns(CLOCK_THREAD_CPUTIME_ID) + plan->before_ns);
    plan->child = plan->make_child();
    if (plan->child != 0)
        return input;
    (void)alarm(GRANDCHILD_SECONDS);
    EXPECT_EQ(guest_resume(quick, NULL).kind, MOAT_EVENT_YIELD);
    if (plan->outer == NULL)
        spin_until_cpu(plan->loop_ns);
    return self;
}

/* Of a coroutine whose forked child comes back to the host. */
static moat_co *create_forking(moat_entry entry, uint64_t cpu_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.resume_cpu_ns = cpu_ns;
    options.limits = &limits;
    options.flags = MOAT_CO_FORK_RETURNS;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void *resume_the_one_that_forks(moat_co *self, void *input)
{
    struct cpu_fork *plan = input;
    moat_co *inner = create_forking(fork_then_loop, 3600000 * MS);

    EXPECT_EQ(guest_resume(inner, plan).kind, MOAT_EVENT_RETURN);
    if (plan->child == 0)
        spin_until_cpu(plan->loop_ns);
    return self;
}

/* The limit stops the child's guest before it has looped that long. */
static void expect_cpu_limit_in_child(struct cpu_fork plan, bool is_outers,
                                      uint64_t limit_ns)
{
    moat_entry entry = is_outers ? resume_the_one_that_forks : fork_then_loop;
    moat_co *co = create_forking(entry, limit_ns);
    moat_event event;

    if (is_outers)
        plan.outer = co;
    /* On the parent's clock, the limit expires after the end of the loop. */
    spin_until_cpu(clock_ns(CLOCK_THREAD_CPUTIME_ID) + 600 * MS);
    event = guest_resume(co, &plan);
    if (plan.child == 0) {
        EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
        end_grandchild();
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(exit_status_of(plan.child), 0);
}

static void a_cpu_limit_holds_in_a_forked_child(const void *arg)
{
    const struct cpu_fork plan = {
        .make_child = fork, .before_ns = 300 * MS, .loop_ns = 250 * MS};

    (void)arg;
    expect_cpu_limit_in_child(plan, false, 400 * MS);
    expect_cpu_limit_in_child(plan, true, 400 * MS);
}

/* A raw fork loses the CPU time since the clock was last read. */
static void a_cpu_limit_holds_in_the_child_of_a_raw_fork(const void *arg)
{
    const struct cpu_fork plan = {.make_child = raw_fork, .loop_ns = 500 * MS};

    (void)arg;
    expect_cpu_limit_in_child(plan, false, 200 * MS);
    expect_cpu_limit_in_child(plan, true, 200 * MS);
}

/* ---- The last round of a thread's destructors ---- */

static pthread_key_t late_key;
static void (*late_use)(void);
static moat_co *left_late;

/* moat's own key comes before this one: in the last round nothing of moat's
 * comes after it. */
static void use_late(void *value)
{
    uintptr_t round = (uintptr_t)value;

    if (round < PTHREAD_DESTRUCTOR_ITERATIONS)
        (void)pthread_setspecific(late_key, (void *)(round + 1));
    else
        late_use();
}

static void *end_late(void *arg)
{
    (void)pthread_setspecific(late_key, (void *)1);
    return arg;
}

/* The thread's words lie on its stack, which is gone afterwards. */
static void run_late(void (*use)(void))
{
    const size_t bytes = (size_t)1 << 20;
    void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;

    REQUIRE(stack != MAP_FAILED);
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, stack, bytes) == 0);
    late_use = use;
    REQUIRE(pthread_create(&thread, &attributes, end_late, NULL) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
    REQUIRE(munmap(stack, bytes) == 0);
}

static void attach_late(void)
{
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
}

static void trap_late(void)
{
    moat_co *co = guest_create(guest_write_null);

    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(co);
    /* The second is kept as a spare. */
    moat_co_destroy(guest_create(guest_echo));
}

static void leave_late(void)
{
    left_late = guest_create(guest_echo);
    EXPECT_EQ(guest_resume(left_late, NULL).kind, MOAT_EVENT_YIELD);
}

static size_t live_now(void)
{
    moat_engine_info info = MOAT_ENGINE_INFO_INIT;

    EXPECT_EQ(moat_engine_get_info(&info), MOAT_OK);
    return info.live;
}

static void a_thread_may_use_moat_in_its_last_destructors(const void *arg)
{
    static void (*const uses[])(void) = {attach_late, trap_late, leave_late};

    (void)arg;
    REQUIRE(moat_engine_init(NULL) == MOAT_OK);
    REQUIRE(pthread_key_create(&late_key, use_late) == 0);
    for (size_t i = 0; i < 3; i++) {
        run_late(uses[i]);
        EXPECT_EQ(live_now(), 0);
        EXPECT_EQ(moat_engine_trim(0, NULL), MOAT_OK);
    }
    moat_co_destroy(left_late);
    EXPECT_EQ(live_now(), 0);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
    EXPECT_EQ(moat_engine_init(NULL), MOAT_OK);
    run_late(trap_late);
    EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
}

/* The thread is attached, alive, and then gone while others ask. */
static void a_forked_child_knows_that_its_own_thread_lives(const void *arg)
{
    moat_co *co = guest_create(guest_echo);
    pid_t child;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    child = fork();
    if (child == 0) {
        pthread_t thread;

        EXPECT_EQ(live_now(), 1);
        REQUIRE(pthread_create(&thread, NULL, masked_thread, NULL) == 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
        EXPECT_EQ(live_now(), 1);
        moat_co_destroy(co);
        EXPECT_EQ(moat_engine_shutdown(), MOAT_OK);
        end_grandchild();
    }
    EXPECT_EQ(exit_status_of(child), 0);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(a_thread_may_use_moat_in_its_last_destructors),
    CHILD_CASE(a_forked_child_knows_that_its_own_thread_lives),
    CHILD_CASE(a_null_write_traps_where_all_signals_were_blocked),
    CHILD_CASE(a_deadline_cuts_where_all_signals_were_blocked),
    CHILD_CASE(every_thread_gets_its_own_mask_back_when_it_detaches),
    CHILD_CASE(signals_blocked_after_the_attach_are_told),
    CHILD_CASE(what_moat_does_not_need_may_be_blocked),
    CHILD_CASE(
        a_child_forked_while_another_thread_describes_frames_can_describe),
    CHILD_CASE(a_child_forked_while_other_threads_walk_stacks_can_walk_its_own),
    CHILD_CASE(a_fork_waits_for_no_walk_that_has_ended),
    CHILD_CASE(
        a_child_forked_while_another_thread_inits_for_the_first_time_is_whole),
    CHILD_CASE(a_forked_child_shuts_down_despite_the_other_threads_coroutines),
    CHILD_CASE(a_limited_guest_is_cut_in_the_child_of_a_raw_fork),
    CHILD_CASE(a_limited_guest_is_cut_in_the_child_of_a_raw_clone),
    CHILD_CASE(
        a_limited_guest_is_cut_in_a_raw_child_made_while_the_timer_is_set),
    CHILD_CASE(a_cpu_limit_holds_in_a_forked_child),
    CHILD_CASE(a_cpu_limit_holds_in_the_child_of_a_raw_fork),
};

int main(int argc, char **argv)
{
    return child_cases_run("threads and processes keep their signals", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
