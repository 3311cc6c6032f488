/*
 * test_altstack.c: the alternate signal stack: lost by a jump, disabled by a
 * guest, and needed by a handler that was installed before moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "../support/surroundings.h"
#include "guests.h"

#define HANDLER_EXIT 42

static sigjmp_buf way_out;

static void install(int signo, int flags, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    REQUIRE(sigaction(signo, &action, NULL) == 0);
}

/* ---- Lost ---- */

static void leave_by_jump(int signo)
{
    siglongjmp(way_out, signo);
}

static void choose(moat_altstack_kind kind)
{
    moat_engine_options options = MOAT_ENGINE_OPTIONS_INIT;

    options.altstack = kind;
    REQUIRE(moat_engine_init(&options) == MOAT_OK);
}

static void a_stack_left_by_a_jump_stays_armed(const void *arg)
{
    moat_co *co = guest_create(guest_write_null);
    struct thread_signals armed;

    (void)arg;
    thread_signals_note(&armed);
    install(SIGUSR1, SA_ONSTACK, leave_by_jump);
    for (int i = 0; i < 3; i++) {
        if (sigsetjmp(way_out, 1) == 0)
            (void)raise(SIGUSR1);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        thread_signals_expect_kept(&armed);
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void a_stack_lost_by_a_jump_is_told_and_repaired(const void *arg)
{
    struct thread_signals armed;
    moat_co *co;

    (void)arg;
    choose(MOAT_ALTSTACK_AUTODISARM);
    co = guest_create(guest_write_null);
    thread_signals_note(&armed);
    install(SIGUSR1, SA_ONSTACK, leave_by_jump);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        if (sigsetjmp(way_out, 1) == 0)
            (void)raise(SIGUSR1);
        EXPECT_EQ(moat_engine_check(), MOAT_E_HANDLER_LOST);
        EXPECT_EQ(moat_thread_attach(), MOAT_OK);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        thread_signals_expect_kept(&armed);
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static void *disable_then_write_null(moat_co *self, void *input)
{
    stack_t none;

    memset(&none, 0, sizeof(none));
    none.ss_flags = SS_DISABLE;
    EXPECT_EQ(sigaltstack(&none, NULL), 0);
    return guest_write_null(self, input);
}

static void
a_stack_that_a_guest_disabled_is_armed_after_its_trap(const void *arg)
{
    moat_co *co = guest_create(disable_then_write_null);
    struct thread_signals armed;

    (void)arg;
    thread_signals_note(&armed);
    for (int i = 0; i < 3; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        thread_signals_expect_kept(&armed);
        EXPECT_EQ(moat_engine_check(), MOAT_OK);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* ---- Large enough for former handlers ---- */

static __attribute__((noinline)) void use_stack(size_t pages)
{
    volatile char page[4096];

    page[0] = 1;
    if (pages > 1)
        use_stack(pages - 1);
    page[sizeof(page) - 1] = page[0];
}

static void use_400_kib(int signo)
{
    use_stack(100);
    _exit(signo == SIGSEGV ? HANDLER_EXIT : 1);
}

static void use_100_kib(int signo)
{
    use_stack(25);
    _exit(signo == SIGSEGV ? HANDLER_EXIT : 1);
}

static void a_former_handler_with_a_large_stack_still_has_one(const void *arg)
{
    stack_t large;

    (void)arg;
    memset(&large, 0, sizeof(large));
    large.ss_size = (size_t)1 << 20;
    large.ss_sp = mmap(NULL, large.ss_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(large.ss_sp != MAP_FAILED);
    REQUIRE(sigaltstack(&large, NULL) == 0);
    install(SIGSEGV, SA_ONSTACK, use_400_kib);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    write_null();
}

static void
a_former_handler_without_a_stack_of_its_own_has_room(const void *arg)
{
    (void)arg;
    install(SIGSEGV, 0, use_100_kib);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    write_null();
}

static void skip_ud2(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)signo;
    (void)info;
    uc->uc_mcontext.gregs[REG_RIP] += 2;
}

/* While that handler runs, the stack is armed in another way, and the return
 * from the handler does not undo this. */
static void
an_attach_arms_the_stack_as_it_was_before_a_former_handler(const void *arg)
{
    struct thread_signals armed;
    struct sigaction action;

    choose(*(const moat_altstack_kind *)arg);
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = skip_ud2;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    REQUIRE(sigaction(SIGILL, &action, NULL) == 0);
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    thread_signals_note(&armed);
    __asm__ volatile("ud2");
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    thread_signals_expect_kept(&armed);
}

/* ---- A handler of the host interrupts a guest ---- */

static volatile int handler_steps;

static void *raise_and_loop(moat_co *self, void *input)
{
    (void)raise(SIGUSR1);
    return guest_loop(self, input);
}

static void fault_in_handler(int signo)
{
    (void)signo;
    write_null();
}

static void outstay_in_handler(int signo)
{
    (void)signo;
    handler_steps = 1;
    spin_until(clock_ns(CLOCK_MONOTONIC) + 100 * MS);
    handler_steps = 2;
}

static void
a_fault_in_a_handler_on_the_alternate_stack_is_fatal(const void *arg)
{
    (void)arg;
    install(SIGUSR1, SA_ONSTACK, fault_in_handler);
    (void)guest_resume(guest_create(raise_and_loop), NULL);
}

static void
a_fault_in_a_handler_on_the_guests_stack_is_its_trap(const void *arg)
{
    (void)arg;
    install(SIGUSR1, 0, fault_in_handler);
    guest_expect_trap(guest_create(raise_and_loop), NULL, MOAT_TRAP_NULL);
}

/* The deadline expires long before the handler returns. */
static void a_deadline_cuts_no_handler_on_the_alternate_stack(const void *arg)
{
    moat_co *co = guest_create_limited(raise_and_loop, 0, 10 * MS);

    (void)arg;
    install(SIGUSR1, SA_ONSTACK, outstay_in_handler);
    do {
        handler_steps = 0;
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    } while (handler_steps == 0);
    EXPECT_EQ(handler_steps, 2);
    moat_co_destroy(co);
}

#define EXITS_IN_HANDLER(function)                       \
    {                                                    \
#        function, function, NULL, NULL, 0, HANDLER_EXIT \
    }

static const moat_altstack_kind shared = MOAT_ALTSTACK_SHARED,
                                autodisarm = MOAT_ALTSTACK_AUTODISARM;

static const struct child_case cases[] = {
    CHILD_CASE(a_stack_left_by_a_jump_stays_armed),
    CHILD_CASE(a_stack_lost_by_a_jump_is_told_and_repaired),
    CHILD_CASE(a_stack_that_a_guest_disabled_is_armed_after_its_trap),
    EXITS_IN_HANDLER(a_former_handler_with_a_large_stack_still_has_one),
    EXITS_IN_HANDLER(a_former_handler_without_a_stack_of_its_own_has_room),
    {"an_attach_arms_the_stack_as_it_was_before_a_former_handler",
     an_attach_arms_the_stack_as_it_was_before_a_former_handler, &shared, NULL,
     0, 0},
    {"an_attach_arms_the_stack_with_its_flag",
     an_attach_arms_the_stack_as_it_was_before_a_former_handler, &autodisarm,
     NULL, 0, 0},
    {"a_fault_in_a_handler_on_the_alternate_stack_is_fatal",
     a_fault_in_a_handler_on_the_alternate_stack_is_fatal, NULL, NULL, SIGSEGV,
     0},
    CHILD_CASE(a_fault_in_a_handler_on_the_guests_stack_is_its_trap),
    CHILD_CASE(a_deadline_cuts_no_handler_on_the_alternate_stack),
};

int main(int argc, char **argv)
{
    return child_cases_run("the alternate stack is there when it is needed",
                           cases, sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
