/*
 * test_stacks.c: whose stack the thread is on: fibers of the host's and of the
 * guest's, and frames that a longjmp has left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define FIBER_BYTES ((size_t)256 << 10)

#define NO_FIBERS \
    (UNDER_ASAN || UNDER_TSAN ? "the sanitizer is told of no fibers" : NULL)
#define NO_LONGJMP \
    (UNDER_ASAN || UNDER_TSAN ? "the sanitizer takes part in a longjmp" : NULL)

/* ---- Fibers ---- */

static ucontext_t home, away;

static ucontext_t *make_fiber(ucontext_t *fiber, void (*body)(void),
                              ucontext_t *then)
{
    REQUIRE(getcontext(fiber) == 0);
    fiber->uc_stack.ss_sp = malloc(FIBER_BYTES);
    fiber->uc_stack.ss_size = FIBER_BYTES;
    fiber->uc_link = then;
    REQUIRE(fiber->uc_stack.ss_sp != NULL);
    makecontext(fiber, body, 0);
    return fiber;
}

static void run_fiber(void (*body)(void))
{
    ucontext_t fiber;

    REQUIRE(swapcontext(&home, make_fiber(&fiber, body, &home)) == 0);
    free(fiber.uc_stack.ss_sp);
}

/* The host's handler, for a fault of the host's. With the manual source it is
 * the one that asks moat. */
static void on_hosts_fault(int signo, siginfo_t *info, void *ucontext)
{
    const char *source = getenv("MOAT_TRAP_SOURCE");

    if (source != NULL && strcmp(source, "manual") == 0 &&
        moat_trap_handle(signo, info, ucontext))
        return;
    _exit(expect_failures() == 0 ? 5 : 94);
}

/* Before moat is initialised. */
static void expect_fault_at_host(void)
{
    struct sigaction action = {.sa_sigaction = on_hosts_fault,
                               .sa_flags =
                                   SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
}

/* ---- The host has fibers, and the guest waits in one ---- */

static void *wait_in_fiber(moat_co *self, void *input)
{
    (void)self;
    REQUIRE(swapcontext(&away, &home) == 0);
    return input;
}

static moat_co *waiting;
static moat_event waited;

static void resume_in_fiber(void)
{
    EXPECT_EQ(moat_co_resume(waiting, NULL, &waited), MOAT_OK);
}

/* The guest of a fiber waits; the thread is on its own stack again. */
static void begin_to_wait(void)
{
    static ucontext_t fiber;

    waiting = guest_create(wait_in_fiber);
    REQUIRE(swapcontext(&home, make_fiber(&fiber, resume_in_fiber, &home)) ==
            0);
}

static void a_fault_on_the_threads_own_stack_is_the_hosts(const void *arg)
{
    (void)arg;
    expect_fault_at_host();
    begin_to_wait();
    write_null();
}

static void a_fault_of_another_fiber_is_the_hosts(const void *arg)
{
    (void)arg;
    expect_fault_at_host();
    begin_to_wait();
    run_fiber(write_null);
}

/* A thread whose guest was resumed on its own stack, and which has been seen on
 * another. */
static void *switch_to_faulty_fiber(moat_co *self, void *input)
{
    (void)self;
    run_fiber(write_null);
    return input;
}

static void create_one(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    options.name = "of a fiber";
    REQUIRE(moat_co_create(&co, guest_echo, &options) == MOAT_OK);
    moat_co_destroy(co);
}

static void a_host_that_was_seen_on_a_fiber_has_fibers(const void *arg)
{
    (void)arg;
    expect_fault_at_host();
    REQUIRE(moat_thread_attach() == MOAT_OK);
    run_fiber(create_one);
    (void)guest_resume(guest_create(switch_to_faulty_fiber), NULL);
}

/* Lets the guest's stack pointer point to its input and writes to nothing. */
static void *write_null_at(moat_co *self, void *input)
{
    (void)self;
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl $1, (%%rax)\n\t"
                     "ud2"
                     :
                     : "r"(input)
                     : "memory");
    return NULL;
}

static char *map_at_random(int access)
{
    char *memory =
        mmap(NULL, FIBER_BYTES, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    REQUIRE(memory != MAP_FAILED);
    return memory + FIBER_BYTES / 2;
}

static void use_moat_in_handler(int signo)
{
    (void)signo;
    create_one();
}

/* The alternate stack is not a fiber's. */
static void a_host_that_was_seen_in_a_handler_has_no_fibers(const void *arg)
{
    struct sigaction action = {.sa_handler = use_moat_in_handler,
                               .sa_flags = SA_ONSTACK};

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
    guest_expect_trap(guest_create(write_null_at),
                      map_at_random(PROT_READ | PROT_WRITE), MOAT_TRAP_NULL);
}

/* ---- Guests resumed in a handler ---- */

#define NO_ONSTACK_RESUME \
    (UNDER_ASAN || UNDER_TSAN ? "the sanitizer has handlers of its own" : NULL)

static moat_co *resumed_in_handler;
static moat_status status_in_handler;

static void resume_in_handler(int signo)
{
    moat_event event;

    (void)signo;
    status_in_handler = moat_co_resume(resumed_in_handler, NULL, &event);
}

static void resume_by_signal(moat_co *co, int flags)
{
    struct sigaction action = {.sa_handler = resume_in_handler,
                               .sa_flags = flags};

    resumed_in_handler = co;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    REQUIRE(raise(SIGUSR1) == 0);
}

/* The kernel has overwritten the frames of the handler by then. */
static void a_fault_of_a_guest_resumed_in_a_handler_is_fatal(const void *arg)
{
    (void)arg;
    resume_by_signal(guest_create(guest_write_null), SA_ONSTACK);
}

/* On the way through the library that is noticed. */
static void a_slow_resume_in_a_handler_is_refused(const void *arg)
{
    moat_co *co = guest_create_limited(guest_echo, 0, 3600000 * MS);

    (void)arg;
    resume_by_signal(co, SA_ONSTACK);
    EXPECT_EQ(status_in_handler, MOAT_E_STATE);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_FRESH);
    resume_by_signal(co, 0);
    EXPECT_EQ(status_in_handler, MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
}

static struct sigaction moats;

static void pass_on(int signo, siginfo_t *info, void *ucontext)
{
    if (moats.sa_sigaction != NULL)
        moats.sa_sigaction(signo, info, ucontext);
    else if (!moat_trap_handle(signo, info, ucontext))
        _exit(95);
}

/* While a host's handler has the signal blocked, a load of moat's that faults
 * would end the process. */
static void
a_fault_away_from_any_stack_is_found_with_its_signal_blocked(const void *arg)
{
    struct sigaction action = {.sa_sigaction = pass_on,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK};

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    run_fiber(create_one);
    REQUIRE(sigaction(SIGSEGV, &action, &moats) == 0);
    guest_expect_trap(guest_create(write_null_at), map_at_random(PROT_NONE),
                      MOAT_TRAP_NULL);
}

/* On the stack of a guest of another fiber, which is suspended. */
static void *yield_with_room(moat_co *self, void *input)
{
    volatile char room[4096];

    room[0] = 1;
    (void)moat_co_yield(self, NULL);
    return room[0] != 0 ? input : NULL;
}

static void *run_on_other_stack(moat_co *self, void *input)
{
    moat_co *other = input;

    (void)self;
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "call *%1"
                     :
                     : "r"(other->sp + 2048), "r"(write_null)
                     : "memory");
    return NULL;
}

static void
a_fault_on_a_suspended_guests_frames_is_not_anothers(const void *arg)
{
    moat_co *other;

    (void)arg;
    expect_fault_at_host();
    other = guest_create(yield_with_room);
    EXPECT_EQ(guest_resume(other, NULL).kind, MOAT_EVENT_YIELD);
    (void)guest_resume(guest_create(run_on_other_stack), other);
}

static void *loop_in_fiber(moat_co *self, void *input)
{
    (void)self;
    REQUIRE(swapcontext(&away, &home) == 0);
    return guest_loop(self, input);
}

/* The other fiber is not stopped for it; the guest is, when it runs again. */
static void a_limit_waits_while_another_fiber_runs(const void *arg)
{
    static ucontext_t fiber;

    (void)arg;
    waiting = guest_create_limited(loop_in_fiber, 0, 20 * MS);
    REQUIRE(swapcontext(&home, make_fiber(&fiber, resume_in_fiber, &home)) ==
            0);
    spin_until(clock_ns(CLOCK_MONOTONIC) + 60 * MS);
    REQUIRE(swapcontext(&home, &away) == 0);
    EXPECT_EQ(waited.kind, MOAT_EVENT_TRAP);
}

static void *echo_once(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void use_moat(void)
{
    moat_co *co = guest_create(echo_once);

    EXPECT_EQ(guest_resume(co, &home).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(co, &home).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    guest_expect_trap(guest_create(guest_write_null), NULL, MOAT_TRAP_NULL);
}

static void another_fiber_uses_moat_meanwhile(const void *arg)
{
    (void)arg;
    begin_to_wait();
    run_fiber(use_moat);
    REQUIRE(swapcontext(&home, &away) == 0);
    EXPECT_EQ(waited.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(waiting);
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE); /* the trapped one */
}

/* ---- Parked ---- */

static moat_parked *parked;

static void *park_and_wait(moat_co *self, void *input)
{
    parked = moat_guest_park();
    EXPECT(parked != NULL);
    EXPECT(moat_co_current() == NULL);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RESUMING);
    REQUIRE(swapcontext(&away, &home) == 0);
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_OK);
    EXPECT(moat_co_current() == self);
    return input;
}

static void begin_to_wait_parked(moat_co *co)
{
    static ucontext_t fiber;

    waiting = co;
    REQUIRE(swapcontext(&home, make_fiber(&fiber, resume_in_fiber, &home)) ==
            0);
    EXPECT(moat_co_current() == NULL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_RESUMING);
}

static void come_back(moat_event_kind kind)
{
    REQUIRE(swapcontext(&home, &away) == 0);
    EXPECT_EQ(waited.kind, kind);
    moat_co_destroy(waiting);
}

static void a_parked_guest_is_set_aside(const void *arg)
{
    moat_event event;

    (void)arg;
    begin_to_wait_parked(guest_create(park_and_wait));
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT_EQ(moat_thread_detach(), MOAT_E_STATE);
    EXPECT_EQ(moat_co_resume(waiting, NULL, &event), MOAT_E_STATE);
    EXPECT_EQ(moat_co_reset(waiting), MOAT_E_STATE);
    use_moat();
    run_fiber(use_moat);
    come_back(MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_E_STATE);
}

static void a_fault_while_a_guest_is_parked_is_the_hosts(const void *arg)
{
    (void)arg;
    expect_fault_at_host();
    begin_to_wait_parked(guest_create(park_and_wait));
    run_fiber(write_null);
}

static void nothing_is_parked_where_there_is_no_guest(const void *arg)
{
    (void)arg;
    EXPECT(moat_guest_park() == NULL);
    EXPECT_EQ(moat_guest_unpark(NULL), MOAT_OK);
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT(moat_guest_park() == NULL);
}

static void *park_then_loop(moat_co *self, void *input)
{
    (void)park_and_wait(self, input);
    return guest_loop(self, input);
}

static void *spin_a_while(moat_co *self, void *input)
{
    (void)self;
    spin_until(clock_ns(CLOCK_MONOTONIC) + 700 * MS);
    return input;
}

/* Neither lost nor that of the other fiber, or of its guest. */
static void a_parked_guests_time_limit(const void *arg)
{
    (void)arg;
    begin_to_wait_parked(guest_create_limited(park_then_loop, 0, 500 * MS));
    EXPECT_EQ(guest_resume(guest_create(spin_a_while), NULL).kind,
              MOAT_EVENT_RETURN);
    come_back(MOAT_EVENT_TRAP);
}

static void *park_then_spin(moat_co *self, void *input)
{
    uint64_t end;

    (void)park_and_wait(self, input);
    end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 20 * MS;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    return input;
}

/* The other fiber's CPU time does not count: the guest needs 20 ms of its
 * 1000, the other fiber 1100. */
static void a_parked_guests_cpu_limit(const void *arg)
{
    uint64_t end;

    (void)arg;
    begin_to_wait_parked(guest_create_limited(park_then_spin, 1000 * MS, 0));
    end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 1100 * MS;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    come_back(MOAT_EVENT_RETURN);
}

/* In a host call the thread is the host's anyway. */
static void *park_on_hosts_stack(void *arg)
{
    moat_parked *in_call = moat_guest_park();

    EXPECT(in_call != NULL);
    EXPECT(moat_guest_park() == NULL);
    REQUIRE(swapcontext(&away, &home) == 0);
    EXPECT_EQ(moat_guest_unpark(in_call), MOAT_OK);
    EXPECT(moat_co_current() == NULL);
    return arg;
}

static void *park_in_host_call(moat_co *self, void *input)
{
    EXPECT(moat_call_on_parent(self, park_on_hosts_stack, self) == self);
    EXPECT(moat_co_current() == self);
    return input;
}

static moat_co *inner;

static void *resume_inner(moat_co *self, void *input)
{
    EXPECT_EQ(guest_resume(inner, input).kind, MOAT_EVENT_RETURN);
    EXPECT(moat_co_current() == self);
    EXPECT(moat_co_yield(self, input) == NULL);
    return input;
}

static void a_guest_is_parked_wherever_it_stands(const void *arg)
{
    (void)arg;
    begin_to_wait_parked(guest_create(park_in_host_call));
    use_moat();
    come_back(MOAT_EVENT_RETURN);

    inner = guest_create(park_and_wait);
    begin_to_wait_parked(guest_create(resume_inner));
    EXPECT_EQ(moat_co_get_state(inner), MOAT_CO_RESUMING);
    use_moat();
    come_back(MOAT_EVENT_YIELD);
}

/* Two fibers take turns, each with a guest that parks, also in host calls; they
 * come back in another order than they went. */
static ucontext_t turns[3];
static moat_parked *of_turn[3];
static int came_back;

static void *wait_for_turn(void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;

    of_turn[i] = moat_guest_park();
    REQUIRE(swapcontext(&turns[i], &home) == 0);
    EXPECT_EQ(moat_guest_unpark(of_turn[i]), MOAT_OK);
    return arg;
}

static void *wait_in_turn(moat_co *self, void *input)
{
    for (int round = 0; round < 3; round++)
        EXPECT(moat_call_on_parent(self, wait_for_turn, input) == input);
    return moat_co_yield(self, input);
}

static size_t next_turn;

static void run_turn(void)
{
    moat_co *co = guest_create(wait_in_turn);
    void *number = (void *)(uintptr_t)next_turn;

    EXPECT_EQ(guest_resume(co, number).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(co, number).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    came_back++;
}

static void fibers_take_turns(const void *arg)
{
    static const size_t order[] = {2, 0, 1, 1, 2, 0, 0, 2, 1};
    static ucontext_t fibers[3];

    (void)arg;
    for (next_turn = 0; next_turn < 3; next_turn++)
        REQUIRE(swapcontext(&home, make_fiber(&fibers[next_turn], run_turn,
                                              &home)) == 0);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        use_moat();
        REQUIRE(swapcontext(&home, &turns[order[i]]) == 0);
    }
    EXPECT_EQ(came_back, 3);
}

static void *unpark_elsewhere(void *arg)
{
    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_E_THREAD);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return NULL;
}

static void *unpark_the_other(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_E_STATE);
    return input;
}

static void a_guest_is_unparked_in_its_place_only(const void *arg)
{
    pthread_t thread;

    (void)arg;
    begin_to_wait_parked(guest_create(park_and_wait));
    REQUIRE(pthread_create(&thread, NULL, unpark_elsewhere, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    EXPECT_EQ(guest_resume(guest_create(unpark_the_other), NULL).kind,
              MOAT_EVENT_RETURN);
    come_back(MOAT_EVENT_RETURN);
}

/* ---- The guest has fibers ---- */

static ucontext_t guests_home;
static moat_co *guest_of_fiber;
static moat_stack_id stack_id;
static uintptr_t fiber_lowest;

static void *add_one(void *arg)
{
    return (char *)arg + 1;
}

static void use_moat_as_guest(void)
{
    char byte;

    use_moat();
    EXPECT(moat_call_on_parent(guest_of_fiber, add_one, &byte) == &byte + 1);
    EXPECT(moat_co_yield(guest_of_fiber, NULL) == &home);
}

static void on_unregistered_stack(void)
{
    moat_stack_info info;

    EXPECT_EQ(moat_stack_reserve(FIBER_BYTES / 2), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve((size_t)1 << 40), MOAT_E_LIMIT);
    EXPECT_EQ(moat_stack_reserve(SIZE_MAX), MOAT_E_LIMIT);
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_E_STACK);
    use_moat_as_guest();
}

static void on_registered_stack(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    moat_stack_info info;

    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    EXPECT_EQ(info.base - info.limit, FIBER_BYTES);
    EXPECT_EQ(info.guard, info.limit);
    EXPECT(here - info.limit < FIBER_BYTES);
    EXPECT(info.used >= info.base - here && info.used < FIBER_BYTES);
    EXPECT_EQ(moat_stack_reserve(FIBER_BYTES / 2), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(FIBER_BYTES), MOAT_E_LIMIT);
    use_moat_as_guest();
}

struct guest_plan {
    void (*body)(void);
    bool registered;
};

static void *run_own_fiber(moat_co *self, void *input)
{
    const struct guest_plan *plan = input;
    ucontext_t fiber;

    guest_of_fiber = self;
    make_fiber(&fiber, plan->body, &guests_home);
    fiber_lowest = (uintptr_t)fiber.uc_stack.ss_sp;
    if (plan->registered)
        REQUIRE(moat_stack_register(fiber.uc_stack.ss_sp, FIBER_BYTES,
                                    &stack_id) == MOAT_OK);
    REQUIRE(swapcontext(&guests_home, &fiber) == 0);
    if (plan->registered)
        EXPECT_EQ(moat_stack_unregister(stack_id), MOAT_OK);
    free(fiber.uc_stack.ss_sp);
    return input;
}

static void guests_fibers_know_their_bounds(const void *arg)
{
    static const struct guest_plan plans[] = {
        {on_unregistered_stack, false},
        {on_registered_stack, true},
    };

    (void)arg;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        moat_co *co = guest_create(run_own_fiber);

        EXPECT_EQ(guest_resume(co, (void *)(uintptr_t)&plans[i]).kind,
                  MOAT_EVENT_YIELD);
        EXPECT_EQ(guest_resume(co, &home).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
    }
}

static void loop(void)
{
    (void)guest_loop(NULL, NULL);
}

static void a_fault_on_a_guests_fiber_is_a_trap(const void *arg)
{
    static const struct guest_plan faults = {write_null, false};
    static const struct guest_plan loops = {loop, false};

    (void)arg;
    guest_expect_trap(guest_create(run_own_fiber), (void *)(uintptr_t)&faults,
                      MOAT_TRAP_NULL);
    guest_expect_trap(guest_create_limited(run_own_fiber, 0, 20 * MS),
                      (void *)(uintptr_t)&loops, MOAT_TRAP_DEADLINE);
}

/* In a host with fibers only a registered stack is known to be the guest's. */
static void trap_on_registered_stack(void)
{
    static const struct guest_plan faults = {write_null, true};

    guest_expect_trap(guest_create(run_own_fiber), (void *)(uintptr_t)&faults,
                      MOAT_TRAP_NULL);
    EXPECT_EQ(moat_stack_unregister(stack_id), MOAT_OK);
}

static void a_guests_fiber_in_a_host_with_fibers(const void *arg)
{
    (void)arg;
    run_fiber(create_one);
    run_fiber(trap_on_registered_stack);
    trap_on_registered_stack();
}

/* At least so many frames of its own are on the fiber's stack. */
#define FIBER_DEPTH 4

static __attribute__((noinline)) int end_deep(int depth, bool fault)
{
    volatile int frame = depth;

    if (depth > 0)
        return end_deep(depth - 1, fault) + frame;
    if (fault)
        write_null();
    else
        (void)moat_co_yield(guest_of_fiber, NULL);
    return frame;
}

static void fault_deep(void)
{
    (void)end_deep(FIBER_DEPTH, true);
}

static void yield_deep(void)
{
    (void)end_deep(FIBER_DEPTH, false);
}

static void expect_fibers_frames(const moat_co *co)
{
    moat_frame frames[64];
    size_t count, on_fiber = 0;

    if (moat_co_backtrace(co, frames, 64, &count) == MOAT_E_UNSUPPORTED)
        return;
    for (size_t i = 0; i < count; i++)
        on_fiber += frames[i].sp - fiber_lowest < FIBER_BYTES;
    EXPECT(on_fiber > FIBER_DEPTH && count > on_fiber);
    EXPECT((frames[on_fiber].flags & MOAT_FRAME_ROOT) != 0);
}

static void a_stopped_guests_fiber_is_in_the_backtrace(const void *arg)
{
    static const struct guest_plan plans[] = {{fault_deep, true},
                                              {yield_deep, true}};

    (void)arg;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        moat_co *co = guest_create(run_own_fiber);
        moat_event event = guest_resume(co, (void *)(uintptr_t)&plans[i]);

        EXPECT_EQ(event.kind, i == 0 ? MOAT_EVENT_TRAP : MOAT_EVENT_YIELD);
        expect_fibers_frames(co);
        if (i == 0)
            EXPECT_EQ(moat_stack_unregister(stack_id), MOAT_OK);
        else
            EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
        moat_co_destroy(co);
    }
}

/* A stack just above memory that cannot be read. */
static void *reserve_above_guard(moat_co *self, void *input)
{
    const struct guest_plan *plan = input;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 4 * FIBER_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ucontext_t fiber;

    (void)self;
    REQUIRE(memory != MAP_FAILED && getcontext(&fiber) == 0);
    REQUIRE(mprotect(memory + 2 * FIBER_BYTES - page, page, PROT_NONE) == 0);
    fiber.uc_stack.ss_sp = memory + 2 * FIBER_BYTES;
    fiber.uc_stack.ss_size = FIBER_BYTES;
    fiber.uc_link = &guests_home;
    makecontext(&fiber, plan->body, 0);
    REQUIRE(swapcontext(&guests_home, &fiber) == 0);
    return input;
}

static void expect_less_than_the_fiber(void)
{
    EXPECT_EQ(moat_stack_reserve(FIBER_BYTES / 2), MOAT_OK);
    EXPECT_EQ(moat_stack_reserve(FIBER_BYTES), MOAT_E_LIMIT);
}

static void a_guard_below_an_unregistered_stack_counts(const void *arg)
{
    static const struct guest_plan plan = {expect_less_than_the_fiber, false};

    (void)arg;
    EXPECT_EQ(guest_resume(guest_create(reserve_above_guard),
                           (void *)(uintptr_t)&plan)
                  .kind,
              MOAT_EVENT_RETURN);
}

static void registrations_are_checked(const void *arg)
{
    static char memory[1024];
    moat_stack_id id = 7, other = 7;

    (void)arg;
    EXPECT_EQ(moat_stack_register(NULL, 16, &id), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_register(memory, 0, &id), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_register(memory, SIZE_MAX, &id), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_register(memory, 16, NULL), MOAT_E_INVAL);
    EXPECT_EQ(id, 7);
    EXPECT_EQ(moat_stack_register(memory, sizeof memory, &id), MOAT_OK);
    EXPECT_EQ(moat_stack_register(memory + 512, 16, &other), MOAT_E_OVERLAP);
    EXPECT_EQ(moat_stack_unregister(id + 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_unregister(id), MOAT_OK);
    EXPECT_EQ(moat_stack_unregister(id), MOAT_E_INVAL);
}

/* ---- Left by a longjmp ---- */

static jmp_buf way_out;

static void *leave(moat_co *self, void *input)
{
    (void)self;
    longjmp(way_out, 1);
    return input;
}

static void expect_left(moat_co *co)
{
    moat_co *other;
    moat_event event;
    moat_co *accounted;

    EXPECT_EQ(moat_engine_check(), MOAT_E_STACK);
    EXPECT_EQ(moat_co_create(&other, guest_echo, NULL), MOAT_E_STACK);
    accounted = (moat_co *)moat_co_user(co);
    EXPECT_EQ(moat_co_resume(accounted, NULL, &event), MOAT_E_STACK);
    EXPECT_EQ(moat_co_cancel(accounted, &event), MOAT_E_STACK);
    EXPECT_EQ(moat_co_reset(co), MOAT_E_STATE);
}

static void expect_as_new(void)
{
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    EXPECT(moat_co_current() == NULL);
    use_moat();
}

static int ended;

static void note_end(void *arg)
{
    (void)arg;
    ended++;
}

/* With an accounted coroutine as its user pointer. */
static moat_co *create_with_other(moat_entry entry, uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = wall_ns;
    options.limits = wall_ns != 0 ? &limits : NULL;
    options.user = guest_create_accounted(guest_echo);
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    EXPECT_EQ(moat_co_defer(co, note_end, NULL), MOAT_OK);
    return co;
}

static void end_left(moat_co *co)
{
    moat_co *other = moat_co_user(co);

    moat_co_destroy(co);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_INVALID);
    EXPECT_EQ(ended, 1);
    ended = 0;
    expect_as_new();
    EXPECT_EQ(guest_resume(other, NULL).kind, MOAT_EVENT_YIELD);
    moat_co_destroy(other);
}

static void resume_once(moat_co *volatile co)
{
    if (setjmp(way_out) == 0)
        (void)guest_resume(co, NULL);
}

static void a_guest_left_by_longjmp_is_noticed(const void *arg)
{
    static const uint64_t limits[] = {0, 3600000 * MS, 1};

    (void)arg;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        moat_co *co = create_with_other(leave, limits[i]);

        expect_context("limit %zu", i);
        resume_once(co);
        if (moat_co_get_state(co) == MOAT_CO_TRAPPED)
            continue; /* the shortest limit came first */
        expect_left(co);
        end_left(co);
    }
}

/* Both of them are left; either can be destroyed first. */
static void *leave_through_another(moat_co *self, void *input)
{
    (void)self;
    return (void *)(uintptr_t)guest_resume(input, NULL).kind;
}

static void guests_left_together(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < 2; turn++) {
        moat_co *volatile deep = create_with_other(leave, 3600000 * MS);
        moat_co *volatile co =
            guest_create_limited(leave_through_another, 0, 3600000 * MS);

        if (setjmp(way_out) == 0)
            (void)guest_resume(co, deep);
        expect_left(deep);
        if (turn == 0) {
            moat_co_destroy(co);
            EXPECT_EQ(moat_co_get_state(deep), MOAT_CO_DONE);
            end_left(deep);
        } else {
            end_left(deep);
            EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
            moat_co_destroy(co);
        }
    }
}

/* A guest that is left for the one that resumed it. */
static void *be_left(moat_co *self, void *input)
{
    moat_co *volatile deep = create_with_other(leave, 3600000 * MS);

    if (setjmp(way_out) == 0)
        (void)guest_resume(deep, NULL);
    EXPECT(moat_co_current() == deep);
    expect_left(deep);
    moat_co_destroy(deep);
    EXPECT(moat_co_current() == self);
    EXPECT(moat_co_yield(self, input) == input);
    return input;
}

static void a_guest_left_for_another(const void *arg)
{
    moat_co *co = guest_create(be_left);

    (void)arg;
    EXPECT_EQ(guest_resume(co, &home).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(co, &home).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    expect_as_new();
}

static moat_co *deep_one;

/* The fault is that of the guest on whose stack it happens. */
static void *be_left_and_fault(moat_co *self, void *input)
{
    (void)self;
    deep_one = create_with_other(leave, 0);
    if (setjmp(way_out) == 0)
        (void)guest_resume(deep_one, NULL);
    write_null();
    return input;
}

static void a_fault_after_a_longjmp_is_the_resumers(const void *arg)
{
    moat_co *co = guest_create(be_left_and_fault);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_TRAPPED);
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    end_left(deep_one);
    moat_co_destroy(co);
}

static void the_hosts_fault_after_a_longjmp_is_the_hosts(const void *arg)
{
    (void)arg;
    expect_fault_at_host();
    resume_once(create_with_other(leave, 0));
    write_null();
}

/* The host's code that the guest's limit would stop. */
static void no_limit_stops_the_host_after_a_longjmp(const void *arg)
{
    moat_co *co = create_with_other(leave, 20 * MS);

    (void)arg;
    resume_once(co);
    if (moat_co_get_state(co) == MOAT_CO_TRAPPED)
        child_leave_out("the machine was too slow");
    spin_until(clock_ns(CLOCK_MONOTONIC) + 60 * MS);
    expect_left(co);
    end_left(co);
}

static void *leave_host_call(void *arg)
{
    longjmp(way_out, 1);
    return arg;
}

static void *call_and_be_left(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, leave_host_call, NULL);
    return input;
}

/* Something has to overwrite the frames of the call. */
static void expect_host_call_left(moat_co *co)
{
    EXPECT_EQ(moat_engine_check(), MOAT_E_STACK);
    end_left(co);
}

static void a_host_call_left_by_longjmp_is_noticed(const void *arg)
{
    (void)arg;
    for (int turn = 0; turn < 2; turn++) {
        moat_co *co =
            create_with_other(call_and_be_left, turn == 0 ? 0 : 3600000 * MS);

        resume_once(co);
        expect_host_call_left(co);
    }
}

static void leave_by_signal(int signo)
{
    (void)signo;
    longjmp(way_out, 1);
}

static void *raise_and_be_left(moat_co *self, void *input)
{
    (void)self;
    (void)raise(SIGUSR1);
    return input;
}

/* The host's handler runs on the guest's stack. */
static void a_guest_left_by_a_handler_of_the_host(const void *arg)
{
    struct sigaction action = {.sa_handler = leave_by_signal,
                               .sa_flags = SA_NODEFER};

    (void)arg;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    for (int turn = 0; turn < 3; turn++) {
        moat_co *co = create_with_other(raise_and_be_left, 0);

        resume_once(co);
        expect_left(co);
        /* A handler that is left takes the alternate stack with it. */
        EXPECT_EQ(moat_thread_attach(), MOAT_OK);
        end_left(co);
    }
}

/* ---- Calls with a recovery point, left by a longjmp ---- */

static void jump_out(void *arg)
{
    (void)arg;
    longjmp(way_out, 1);
}

static __attribute__((noinline)) int overwrite(int times)
{
    volatile char room[1024];

    memset((void *)(uintptr_t)room, 0x41, sizeof room);
    return times > 0 ? overwrite(times - 1) + room[3] : room[5];
}

static void leave_call(int times)
{
    for (volatile int i = 0; i < times; i++) {
        if (setjmp(way_out) == 0)
            EXPECT(moat_notrap_call(jump_out, NULL, NULL) != MOAT_OK);
    }
}

static void *leave_call_and_fault(moat_co *self, void *input)
{
    (void)self;
    if (setjmp(way_out) == 0)
        EXPECT(moat_notrap_call(jump_out, NULL, NULL) != MOAT_OK);
    write_null();
    return input;
}

static void *leave_call_overwrite_and_fault(moat_co *self, void *input)
{
    (void)self;
    leave_call(3);
    (void)overwrite(20);
    write_null();
    return input;
}

static void *leave_call_and_close(moat_co *self, void *input)
{
    (void)self;
    leave_call(1);
    moat_notrap_leave();
    write_null();
    return input;
}

static void *leave_call_and_raise(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    leave_call(2);
    moat_trap_raise(1);
}

static void *leave_call_and_loop(moat_co *self, void *input)
{
    leave_call(2);
    return guest_loop(self, input);
}

static void open_section_and_jump(void *arg)
{
    moat_notrap_enter();
    moat_notrap_enter();
    jump_out(arg);
}

static void *leave_sections_in_call(moat_co *self, void *input)
{
    (void)self;
    if (setjmp(way_out) == 0)
        EXPECT(moat_notrap_call(open_section_and_jump, NULL, NULL) != MOAT_OK);
    (void)overwrite(3);
    write_null();
    return input;
}

static void calls_left_by_longjmp_are_over(const void *arg)
{
    static const struct {
        moat_entry entry;
        moat_trap_kind kind;
    } guests[] = {
        {leave_call_and_fault, MOAT_TRAP_NULL},
        {leave_call_overwrite_and_fault, MOAT_TRAP_NULL},
        {leave_call_and_close, MOAT_TRAP_NULL},
        {leave_call_and_raise, MOAT_TRAP_RAISED},
        {leave_call_and_loop, MOAT_TRAP_DEADLINE},
        {leave_sections_in_call, MOAT_TRAP_NULL},
    };

    (void)arg;
    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++) {
        uint64_t wall_ns =
            guests[i].kind == MOAT_TRAP_DEADLINE ? 20 * MS : 3600000 * MS;
        moat_co *co = guest_create_limited(guests[i].entry, 0, wall_ns);

        expect_context("guest %zu", i);
        for (int turn = 0; turn < 3; turn++) {
            guest_expect_trap(co, NULL, guests[i].kind);
            EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        }
        moat_co_destroy(co);
    }
}

static void fault_here(void *arg)
{
    (void)arg;
    write_null();
}

/* The inner calls are over, the outer one is not. */
static void leave_calls_inside(void *arg)
{
    leave_call(3);
    (void)overwrite(3);
    EXPECT_EQ(moat_notrap_call(fault_here, NULL, NULL), MOAT_E_FAULT);
    leave_call(1);
    if (arg != NULL)
        write_null();
}

static void *nest_calls(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(moat_notrap_call(leave_calls_inside, NULL, NULL), MOAT_OK);
    EXPECT_EQ(moat_notrap_call(leave_calls_inside, input, NULL), MOAT_E_FAULT);
    write_null();
    return input;
}

static void calls_around_those_left_still_hold(const void *arg)
{
    moat_co *co = guest_create(nest_calls);

    (void)arg;
    for (int turn = 0; turn < 3; turn++) {
        guest_expect_trap(co, &home, MOAT_TRAP_NULL);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

#define CASE(function, skip)                  \
    {                                         \
#        function, function, NULL, skip, 0, 0 \
    }
#define HOSTS_FAULT(function, skip)           \
    {                                         \
#        function, function, NULL, skip, 0, 5 \
    }

int main(int argc, char **argv)
{
    const struct child_case cases[] = {
        HOSTS_FAULT(a_fault_on_the_threads_own_stack_is_the_hosts, NO_FIBERS),
        HOSTS_FAULT(a_fault_of_another_fiber_is_the_hosts, NO_FIBERS),
        HOSTS_FAULT(a_host_that_was_seen_on_a_fiber_has_fibers, NO_FIBERS),
        CASE(a_host_that_was_seen_in_a_handler_has_no_fibers, NULL),
        {"a_fault_of_a_guest_resumed_in_a_handler_is_fatal",
         a_fault_of_a_guest_resumed_in_a_handler_is_fatal, NULL,
         SWITCH_BY_THREADS ? "the guest's alternate stack is another"
                           : NO_ONSTACK_RESUME,
         SIGSEGV, 0},
        CASE(a_slow_resume_in_a_handler_is_refused, NO_ONSTACK_RESUME),
        CASE(a_fault_away_from_any_stack_is_found_with_its_signal_blocked,
             NO_FIBERS),
        HOSTS_FAULT(a_fault_on_a_suspended_guests_frames_is_not_anothers,
                    NO_FIBERS),
        CASE(a_limit_waits_while_another_fiber_runs, NO_FIBERS),
        CASE(another_fiber_uses_moat_meanwhile, NO_FIBERS),
        CASE(a_parked_guest_is_set_aside, NO_FIBERS),
        HOSTS_FAULT(a_fault_while_a_guest_is_parked_is_the_hosts, NO_FIBERS),
        CASE(nothing_is_parked_where_there_is_no_guest, NULL),
        CASE(a_parked_guests_time_limit, NO_FIBERS),
        CASE(a_parked_guests_cpu_limit, NO_FIBERS),
        CASE(a_guest_is_parked_wherever_it_stands, NO_FIBERS),
        CASE(fibers_take_turns, NO_FIBERS),
        CASE(a_guest_is_unparked_in_its_place_only, NO_FIBERS),
        CASE(guests_fibers_know_their_bounds, NO_FIBERS),
        CASE(a_fault_on_a_guests_fiber_is_a_trap, NO_FIBERS),
        CASE(a_guests_fiber_in_a_host_with_fibers, NO_FIBERS),
        CASE(a_stopped_guests_fiber_is_in_the_backtrace, NO_FIBERS),
        CASE(a_guard_below_an_unregistered_stack_counts, NO_FIBERS),
        CASE(registrations_are_checked, NULL),
        CASE(a_guest_left_by_longjmp_is_noticed, NO_LONGJMP),
        CASE(guests_left_together, NO_LONGJMP),
        CASE(a_guest_left_for_another, NO_LONGJMP),
        CASE(a_fault_after_a_longjmp_is_the_resumers, NO_LONGJMP),
        HOSTS_FAULT(the_hosts_fault_after_a_longjmp_is_the_hosts, NO_LONGJMP),
        CASE(no_limit_stops_the_host_after_a_longjmp, NO_LONGJMP),
        CASE(a_host_call_left_by_longjmp_is_noticed, NO_LONGJMP),
        CASE(a_guest_left_by_a_handler_of_the_host, NO_LONGJMP),
        CASE(calls_left_by_longjmp_are_over, NO_LONGJMP),
        CASE(calls_around_those_left_still_hold, NO_LONGJMP),
    };

    return child_cases_run("whose stack", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
