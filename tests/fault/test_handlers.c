/*
 * test_handlers.c: handlers of the host that run while a guest does: on the
 * guest's stack and on the alternate one, and a guest that points its stack
 * pointer into the latter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <moat/allocator.h>
#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"

#define ROUNDS 5

static void install(int signo, int flags, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

static void fault_in_handler(int signo)
{
    (void)signo;
    write_null();
}

static void return_at_once(int signo)
{
    (void)signo;
}

static void *raise_usr1(moat_co *self, void *input)
{
    (void)self;
    (void)raise(SIGUSR1);
    return input;
}

static void trap_some_times(void)
{
    moat_co *co = guest_create(guest_write_null);

    for (int i = 0; i < ROUNDS; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- What a handler sees ---- */

static volatile int checks, flags_seen;

static void look_around(int signo)
{
    stack_t now;

    (void)signo;
    REQUIRE(sigaltstack(NULL, &now) == 0);
    flags_seen = now.ss_flags;
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    checks++;
}

static void expect_return(moat_co *co)
{
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
}

/* Runtimes (Go) ask whether they run on the stack that is armed. */
static void the_stack_stays_armed_in_any_handler(const void *arg)
{
    moat_co *co = guest_create(raise_usr1);

    (void)arg;
    install(SIGUSR1, SA_ONSTACK, look_around);
    expect_return(co);
    EXPECT_EQ(flags_seen, SS_ONSTACK);
    EXPECT_EQ(raise(SIGUSR1), 0);
    EXPECT_EQ(flags_seen, SS_ONSTACK);
    install(SIGUSR1, 0, look_around);
    expect_return(co);
    EXPECT_EQ(flags_seen, 0);
    EXPECT_EQ(checks, 3);
    moat_co_destroy(co);
}

static void a_former_handler_sees_the_stack_armed(const void *arg)
{
    (void)arg;
    install(SIGFPE, SA_ONSTACK | SA_NODEFER, look_around);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT_EQ(raise(SIGFPE), 0);
    EXPECT_EQ(checks, 1);
    EXPECT_EQ(flags_seen, SS_ONSTACK);
}

/* ---- On a guest's stack ---- */

static __attribute__((noinline)) int descend(int depth)
{
    volatile char frame[512];

    frame[0] = (char)depth;
    frame[sizeof(frame) - 1] = frame[0];
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

static void overflow_in_handler(int signo)
{
    (void)descend(signo);
}

static void overflow_two_deep(int signo)
{
    (void)signo;
    (void)raise(SIGUSR2);
}

static void expect_overflows(int signo, void *(*body)(moat_co *, void *))
{
    moat_co *co = guest_create_on(body, (size_t)64 << 10);
    struct thread_signals before;
    sigset_t mask;

    thread_signals_note(&before);
    for (int i = 0; i < ROUNDS; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_STACK_OVERFLOW);
        /* The signals that the handler blocked are free again: a profiler goes
         * on. */
        thread_signals_expect_kept(&before);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    EXPECT_EQ(sigismember(&mask, signo), 0);
    moat_co_destroy(co);
}

static void an_overflow_in_a_handler_is_the_guests(const void *arg)
{
    (void)arg;
    install(SIGUSR1, SA_RESTART, overflow_in_handler);
    expect_overflows(SIGUSR1, raise_usr1);
}

static void an_overflow_in_a_handler_of_a_handler_is_the_guests(const void *arg)
{
    (void)arg;
    install(SIGUSR1, 0, overflow_two_deep);
    install(SIGUSR2, 0, overflow_in_handler);
    expect_overflows(SIGUSR2, raise_usr1);
}

/* The kernel cannot even push the handler's frame. */
static __attribute__((noinline)) int raise_at_limit(int depth)
{
    volatile char frame[64];

    frame[0] = (char)depth;
    if (moat_stack_reserve(2048) != MOAT_OK)
        (void)raise(SIGUSR1);
    return depth < 0 ? 0 : raise_at_limit(depth + 1) + frame[0];
}

static void *raise_on_nearly_full_stack(moat_co *self, void *input)
{
    (void)self;
    (void)raise_at_limit(0);
    return input;
}

static void a_signal_without_room_is_an_overflow(const void *arg)
{
    (void)arg;
    install(SIGUSR1, 0, return_at_once);
    expect_overflows(SIGUSR1, raise_on_nearly_full_stack);
}

static void take_back_and_fault(int signo)
{
    (void)signal(signo, SIG_DFL);
    fault_in_handler(signo);
}

static void expect_nothing_blocked(int flags, int also_blocked,
                                   void (*handler)(int))
{
    struct thread_signals before;
    struct sigaction action;
    moat_co *co = guest_create(raise_usr1);

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    if (also_blocked != 0)
        (void)sigaddset(&action.sa_mask, also_blocked);
    thread_signals_note(&before);
    for (int i = 0; i < ROUNDS; i++) {
        REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        thread_signals_expect_kept(&before);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* When it faults it is not installed any more. */
static void a_handler_for_once_leaves_nothing_blocked(const void *arg)
{
    (void)arg;
    expect_nothing_blocked((int)SA_RESETHAND, 0, fault_in_handler);
    expect_nothing_blocked((int)SA_RESETHAND, SIGUSR2, fault_in_handler);
    expect_nothing_blocked(0, 0, take_back_and_fault);
}

static void a_handler_that_blocks_others_leaves_nothing_blocked(const void *arg)
{
    (void)arg;
    expect_nothing_blocked(SA_NODEFER, SIGUSR2, fault_in_handler);
}

/* ---- Whose code calls ---- */

static volatile bool guest_called;

static void ask_who_calls(int signo)
{
    (void)signo;
    guest_called = moat_guest_calls();
}

/* The frames of handlers that have ended lie in the buffer. */
__attribute__((noinline)) static bool asks_above_dead_frames(void)
{
    volatile char buffer[64 << 10];
    bool calls = moat_guest_calls();

    buffer[0] = 1;
    return calls && buffer[0] == 1;
}

static void *ask_in_handler(moat_co *self, void *input)
{
    (void)self;
    guest_called = true;
    (void)raise(SIGUSR1);
    EXPECT(!guest_called);
    EXPECT(asks_above_dead_frames());
    return input;
}

static void a_handlers_calls_are_not_the_guests(const void *arg)
{
    static const int flags[] = {0, SA_ONSTACK, SA_NODEFER};
    moat_co *co = guest_create(ask_in_handler);

    (void)arg;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        expect_context("flags %d", flags[i]);
        install(SIGUSR1, flags[i], ask_who_calls);
        expect_return(co);
    }
    moat_co_destroy(co);
}

static void recover_in_section(void *unused)
{
    (void)unused;
    (void)raise(SIGUSR1);
}

static void *recover_from_handler(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_notrap_call(recover_in_section, NULL, NULL), MOAT_E_FAULT);
    return input;
}

/* The landing is on the same stack. */
static void a_section_recovers_from_a_fault_in_a_handler(const void *arg)
{
    moat_co *co = guest_create(recover_from_handler);
    struct thread_signals before;

    (void)arg;
    install(SIGUSR1, 0, fault_in_handler);
    thread_signals_note(&before);
    for (int i = 0; i < ROUNDS; i++) {
        expect_return(co);
        thread_signals_expect_kept(&before);
    }
    moat_co_destroy(co);
}

static void *block_then_write_null(moat_co *self, void *input)
{
    sigset_t mask;

    (void)raise(SIGUSR1);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    return guest_write_null(self, input);
}

/* Signals that the guest itself blocks are not the handler's. */
static void a_mask_of_the_guests_own_is_left_alone(const void *arg)
{
    sigset_t mask;

    (void)arg;
    install(SIGUSR1, 0, return_at_once);
    guest_expect_trap(guest_create(block_then_write_null), NULL,
                      MOAT_TRAP_NULL);
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    EXPECT_EQ(sigismember(&mask, SIGUSR1), 1);
}

/* ---- Over moat's handler ---- */

static struct sigaction moats __attribute__((used));

/* Passes the signal on as its last act: moat's handler then returns to the
 * kernel, as if the kernel had called it. */
__attribute__((naked, noinline)) static void
pass_on(int signo __attribute__((unused)),
        siginfo_t *info __attribute__((unused)),
        void *context __attribute__((unused)))
{
    __asm__("jmp *moats(%rip)");
}

static void stand_over(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction over;

    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaction(SIGSEGV, NULL, &moats) == 0);
    over = moats;
    if (handler != NULL) {
        over.sa_sigaction = handler;
        over.sa_flags = SA_SIGINFO | SA_ONSTACK;
    }
    (void)sigaddset(&over.sa_mask, SIGUSR1);
    REQUIRE(sigaction(SIGSEGV, &over, NULL) == 0);
}

static void a_handler_that_passes_on_leaves_the_mask(const void *arg)
{
    struct thread_signals before;

    (void)arg;
    stand_over(pass_on);
    thread_signals_note(&before);
    trap_some_times();
    thread_signals_expect_kept(&before);
}

static void a_mask_that_the_host_adds_is_not_left(const void *arg)
{
    struct thread_signals before;

    (void)arg;
    stand_over(NULL);
    thread_signals_note(&before);
    trap_some_times();
    thread_signals_expect_kept(&before);
}

/* ---- A limit that passes in a handler ---- */

static volatile int steps;

static void outstay(int signo)
{
    (void)signo;
    steps = 1;
    spin_until(clock_ns(CLOCK_MONOTONIC) + 60 * MS);
    steps = 2;
}

static void *raise_and_loop(moat_co *self, void *input)
{
    (void)raise(SIGUSR1);
    return guest_loop(self, input);
}

static void a_limit_waits_for_a_handler(int flags)
{
    moat_co *co = guest_create_limited(raise_and_loop, 0, 20 * MS);
    struct thread_signals before;

    install(SIGUSR1, flags, outstay);
    thread_signals_note(&before);
    do {
        steps = 0;
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    } while (steps == 0);
    EXPECT_EQ(steps, 2);
    thread_signals_expect_kept(&before);
    moat_co_destroy(co);
}

static void a_limit_waits_for_a_handler_on_the_guests_stack(const void *arg)
{
    (void)arg;
    a_limit_waits_for_a_handler(0);
}

static void a_limit_waits_for_a_handler_on_the_alternate_stack(const void *arg)
{
    (void)arg;
    a_limit_waits_for_a_handler(SA_ONSTACK);
}

/* ---- On the alternate stack ---- */

static void resume_raising_guest(void)
{
    (void)guest_resume(guest_create(raise_usr1), NULL);
}

static void a_fault_in_a_handler_after_traps_is_fatal(const void *arg)
{
    (void)arg;
    trap_some_times();
    install(SIGUSR1, SA_ONSTACK, fault_in_handler);
    resume_raising_guest();
}

static void raise_two_deep(int signo)
{
    (void)signo;
    (void)raise(SIGUSR2);
}

static void a_fault_in_a_nested_handler_is_fatal(const void *arg)
{
    (void)arg;
    trap_some_times();
    install(SIGUSR1, SA_ONSTACK, raise_two_deep);
    install(SIGUSR2, SA_ONSTACK, fault_in_handler);
    resume_raising_guest();
}

/* The nested frame is dead when the outer handler faults. */
static void raise_then_fault(int signo)
{
    (void)raise(SIGUSR2);
    fault_in_handler(signo);
}

static void a_fault_after_a_nested_handler_is_fatal(const void *arg)
{
    (void)arg;
    trap_some_times();
    install(SIGUSR1, SA_ONSTACK, raise_then_fault);
    install(SIGUSR2, SA_ONSTACK, return_at_once);
    resume_raising_guest();
}

/* A fault of the handler's, repaired by moat: the frame of that signal, which
 * is moat's, is dead, and the handler's is not. */
static moat_fault_verdict open_page(void *address, moat_access access,
                                    void *page)
{
    (void)address;
    (void)access;
    return mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0
               ? MOAT_FAULT_FIXED
               : MOAT_FAULT_DECLINED;
}

static volatile char *region;

static void touch_then_fault(int signo)
{
    region[0] = 1;
    fault_in_handler(signo);
}

static void register_region(void)
{
    moat_fault_region_options options = MOAT_FAULT_REGION_OPTIONS_INIT;
    moat_fault_region id;

    options.begin =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    options.bytes = 4096;
    options.fix = open_page;
    options.user = options.begin;
    region = options.begin;
    REQUIRE(moat_fault_region_register(&options, &id) == MOAT_OK);
}

static void a_fault_after_a_repaired_one_is_fatal(const void *arg)
{
    (void)arg;
    register_region();
    install(SIGUSR1, SA_ONSTACK, touch_then_fault);
    resume_raising_guest();
}

static sigjmp_buf way_out;

static void leave_by_jump(int signo)
{
    siglongjmp(way_out, signo);
}

static void a_fault_after_a_handler_left_by_a_jump_is_fatal(const void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    install(SIGUSR2, SA_ONSTACK, leave_by_jump);
    if (sigsetjmp(way_out, 1) == 0)
        (void)raise(SIGUSR2);
    a_fault_in_a_handler_after_traps_is_fatal(NULL);
}

/* ---- On a stack that the host armed over moat's ---- */

static void a_fault_on_a_stack_of_the_hosts_is_fatal(const void *arg)
{
    static char own[128 << 10];
    const stack_t stack = {.ss_sp = own, .ss_size = sizeof(own)};

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaltstack(&stack, NULL) == 0);
    install(SIGUSR1, SA_ONSTACK, fault_in_handler);
    resume_raising_guest();
}

/* ---- A guest whose stack pointer is there ---- */

/* Lets the guest's stack pointer point to its input and writes to nothing. */
__attribute__((naked, noinline)) static void *
write_null_on(void *stack_pointer __attribute__((unused)))
{
    __asm__("movq %rdi, %rsp\n\t"
            "xorl %eax, %eax\n\t"
            "movl $1, (%rax)\n\t"
            "ud2");
}

static void *stray(moat_co *self, void *input)
{
    (void)self;
    return write_null_on(input);
}

static void *inside_alternate_stack(size_t below_top)
{
    stack_t now;

    REQUIRE(sigaltstack(NULL, &now) == 0);
    return (char *)now.ss_sp + now.ss_size - below_top;
}

static const size_t below_top[] = {0, 16, 512, 4096, 40000, 100000, 200000};

#define POINTERS (sizeof(below_top) / sizeof(below_top[0]))

static void a_stray_stack_pointer_traps(const void *arg)
{
    moat_co *co = guest_create(stray);

    (void)arg;
    for (size_t i = 0; i < ROUNDS * POINTERS; i++) {
        expect_context("pointer %zu", i % POINTERS);
        guest_expect_trap(co, inside_alternate_stack(below_top[i % POINTERS]),
                          MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *touch_then_stray(moat_co *self, void *input)
{
    region[0] = 1;
    return stray(self, input);
}

/* moat's handler has just returned from the upper part of that stack. */
static void a_stray_guest_after_a_repaired_fault_traps(const void *arg)
{
    size_t page = 4096;

    (void)arg;
    register_region();
    for (size_t below = 1024; below < 5 * page; below += page / 4) {
        moat_co *co = guest_create(touch_then_stray);

        expect_context("%zu bytes below the top", below);
        REQUIRE(mprotect((void *)region, page, PROT_NONE) == 0);
        guest_expect_trap(co, inside_alternate_stack(below), MOAT_TRAP_NULL);
        moat_co_destroy(co);
    }
}

static void *loop_on(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %0, %%rsp\n1: jmp 1b" : : "r"(input));
    return NULL;
}

/* The timer's own signals leave no frame that counts. */
static void a_limit_stops_a_stray_guest(const void *arg)
{
    moat_co *co = guest_create_limited(loop_on, 20 * MS, 60 * MS);

    (void)arg;
    guest_expect_trap(co, inside_alternate_stack(100000), MOAT_TRAP_DEADLINE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    guest_expect_trap(co, inside_alternate_stack(100000), MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* The handler's frame is dead, but nothing shows it: the fault counts as the
 * handler's. */
static void a_stray_guest_after_a_handler_is_fatal(const void *arg)
{
    moat_co *co = guest_create(stray);

    (void)arg;
    install(SIGUSR1, SA_ONSTACK, return_at_once);
    (void)raise(SIGUSR1);
    (void)guest_resume(co, inside_alternate_stack(100000));
}

/* The trap's frame overwrites the handler's. */
static void a_stray_guest_after_a_handler_and_a_trap_traps(const void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    install(SIGUSR1, SA_ONSTACK, return_at_once);
    for (int i = 0; i < ROUNDS; i++) {
        (void)raise(SIGUSR1);
        trap_some_times();
        guest_expect_trap(guest_create(stray), inside_alternate_stack(100000),
                          MOAT_TRAP_NULL);
    }
}

/* ---- The table ---- */

#define FATAL(function)                             \
    {                                               \
#        function, function, NULL, NULL, SIGSEGV, 0 \
    }

/* backends.switch asserts whose it is. */
#define OTHER_MASK (SWITCH_SETS_MASK ? "the mask is the coroutine's" : NULL)

static struct child_case cases[] = {
    CHILD_CASE(the_stack_stays_armed_in_any_handler),
    CHILD_CASE(a_former_handler_sees_the_stack_armed),
    CHILD_CASE(an_overflow_in_a_handler_is_the_guests),
    CHILD_CASE(an_overflow_in_a_handler_of_a_handler_is_the_guests),
    CHILD_CASE(a_signal_without_room_is_an_overflow),
    CHILD_CASE(a_handler_for_once_leaves_nothing_blocked),
    CHILD_CASE(a_handler_that_blocks_others_leaves_nothing_blocked),
    CHILD_CASE(a_handlers_calls_are_not_the_guests),
    CHILD_CASE(a_section_recovers_from_a_fault_in_a_handler),
    {"a_mask_of_the_guests_own_is_left_alone",
     a_mask_of_the_guests_own_is_left_alone, NULL, OTHER_MASK, 0, 0},
    CHILD_CASE(a_handler_that_passes_on_leaves_the_mask),
    CHILD_CASE(a_mask_that_the_host_adds_is_not_left),
    CHILD_CASE(a_limit_waits_for_a_handler_on_the_guests_stack),
    CHILD_CASE(a_limit_waits_for_a_handler_on_the_alternate_stack),
    FATAL(a_fault_in_a_handler_after_traps_is_fatal),
    FATAL(a_fault_in_a_nested_handler_is_fatal),
    FATAL(a_fault_after_a_nested_handler_is_fatal),
    FATAL(a_fault_after_a_repaired_one_is_fatal),
    FATAL(a_fault_after_a_handler_left_by_a_jump_is_fatal),
    FATAL(a_fault_on_a_stack_of_the_hosts_is_fatal),
    CHILD_CASE(a_stray_stack_pointer_traps),
    CHILD_CASE(a_stray_guest_after_a_repaired_fault_traps),
    CHILD_CASE(a_limit_stops_a_stray_guest),
    {"a_stray_guest_after_a_handler_is_fatal",
     a_stray_guest_after_a_handler_is_fatal, NULL,
     SWITCH_BY_THREADS ? "the guest's alternate stack is another" : NULL,
     SIGSEGV, 0},
    CHILD_CASE(a_stray_guest_after_a_handler_and_a_trap_traps),
};

/* The frames of the embedder's handlers, which the manual source has, are not
 * marked when they end. */
static void skip_with_manual_source(void (*body)(const void *))
{
    const char *source = getenv("MOAT_TRAP_SOURCE");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].body == body && source != NULL &&
            strcmp(source, "manual") == 0)
            cases[i].skip = "the host's handler is not moat's";
    }
}

int main(int argc, char **argv)
{
    skip_with_manual_source(a_stray_guest_after_a_repaired_fault_traps);
    return child_cases_run("handlers of the host while a guest runs", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
