/*
 * test_roots.c: where coroutines keep pointers, for garbage collectors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <moat/moat.h>

#include "support/fixture.h"

#if UNDER_ASAN
#    define RAW __attribute__((no_sanitize("address")))
#else
#    define RAW
#endif

/* ---- Values that are in one register and nowhere else ---- */

/* Kept inverted; roots_registers.S inverts them in that register. */
uintptr_t masked_bx, masked_fp, masked_r13;

void *yield_with_secrets(moat_co *self, void *value);
void *yield_with_secrets_slow(moat_co *self, void *value);
int resume_with_secret(moat_co *co, void *input, moat_event *event);
int resume_with_secret_slow(moat_co *co, void *input, moat_event *event);
void fault_with_secret(void);

#if UNDER_ASAN || UNDER_TSAN || MOAT_SWITCH_PORTABLE
#    define yield_with_secrets yield_with_secrets_slow
#    define resume_with_secret resume_with_secret_slow
#endif

/* ---- Looking ---- */

#define MAX_RANGES 256

static struct {
    uintptr_t begin, end;
} ranges[MAX_RANGES];
static size_t range_count;

static void add(void *begin, void *end, void *arg)
{
    (void)arg;
    EXPECT((uintptr_t)begin < (uintptr_t)end);
    EXPECT((uintptr_t)begin % 8 == 0 && (uintptr_t)end % 8 == 0);
    REQUIRE(range_count < MAX_RANGES);
    ranges[range_count].begin = (uintptr_t)begin;
    ranges[range_count++].end = (uintptr_t)end;
}

static bool is_visited(uintptr_t address)
{
    for (size_t i = 0; i < range_count; i++)
        if (address >= ranges[i].begin && address < ranges[i].end)
            return true;
    return false;
}

/* Returns how often a value, given inverted, lies in the ranges. */
static RAW size_t count_of(uintptr_t masked)
{
    size_t count = 0;

    for (size_t i = 0; i < range_count; i++)
        for (uintptr_t at = ranges[i].begin; at < ranges[i].end; at += 8)
            count += *(const volatile uintptr_t *)at == ~masked;
    return count;
}

static void look_at(moat_co *co)
{
    range_count = 0;
    EXPECT_EQ(moat_co_visit_roots(co, add, NULL), MOAT_OK);
}

static void look_at_all(void)
{
    range_count = 0;
    EXPECT_EQ(moat_visit_roots(add, NULL), MOAT_OK);
}

static moat_co *create(moat_entry entry, void *user)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.user = user;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static void resume(moat_co *co, moat_event_kind kind)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, NULL, &event) == MOAT_OK);
    REQUIRE(event.kind == kind);
}

static void set_secrets(void)
{
    masked_bx = ~(uintptr_t)0x5ec4e7b0b0;
    masked_fp = ~(uintptr_t)0x5ec4e7f9f9;
    masked_r13 = ~(uintptr_t)0x5ec4e71313;
}

/* ---- One coroutine ---- */

static uintptr_t local_at;

static void *wait_with_secrets(moat_co *self, void *input)
{
    volatile uintptr_t local = 1;

    local_at = (uintptr_t)&local;
    (void)yield_with_secrets(self, input);
    return (void *)local;
}

static void registers_of_a_suspended_one(const void *arg)
{
    moat_co *co = create(wait_with_secrets, NULL);
    moat_stack_info stack;

    (void)arg;
    set_secrets();
    resume(co, MOAT_EVENT_YIELD);
    look_at(co);
    EXPECT(count_of(masked_bx) >= 1);
    EXPECT(count_of(masked_fp) >= 1);
    EXPECT(is_visited(local_at));
    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    EXPECT(!is_visited(stack.limit - 8));
    EXPECT(!is_visited(stack.base));
    EXPECT(!is_visited(stack.limit));
    resume(co, MOAT_EVENT_RETURN);
    look_at(co);
    EXPECT_EQ(count_of(masked_bx), 0);
    EXPECT(!is_visited(local_at));
    moat_co_destroy(co);
}

static __attribute__((noinline)) void leave_secrets_below(void)
{
    volatile uintptr_t words[2048];

    for (size_t i = 0; i < 1024; i++)
        words[i] = ~masked_r13;
    /* The lowest ones: what is called later does not reach them. */
    local_at = (uintptr_t)&words[16];
}

static void *wait_above_dead_frames(moat_co *self, void *input)
{
    leave_secrets_below();
    return moat_co_yield(self, input);
}

static RAW uintptr_t word_at(uintptr_t address)
{
    return *(const volatile uintptr_t *)address;
}

static void dead_frames_are_not_visited(const void *arg)
{
    moat_co *co = create(wait_above_dead_frames, NULL);

    (void)arg;
    set_secrets();
    resume(co, MOAT_EVENT_YIELD);
    EXPECT_EQ(word_at(local_at), ~masked_r13);
    look_at(co);
    EXPECT_EQ(count_of(masked_r13), 0);
    moat_co_destroy(co);
}

static void *fault(moat_co *self, void *input)
{
    volatile uintptr_t local = 1;

    (void)self;
    local_at = (uintptr_t)&local;
    fault_with_secret();
    return input;
}

static void registers_of_a_trapped_one(const void *arg)
{
    moat_co *co = create(fault, NULL);

    (void)arg;
    set_secrets();
    resume(co, MOAT_EVENT_TRAP);
    look_at(co);
    EXPECT_EQ(count_of(masked_r13), 2); /* r13 and xmm5 */
    EXPECT(is_visited(local_at));
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    look_at(co);
    EXPECT_EQ(count_of(masked_r13), 0);
    moat_co_destroy(co);
}

static __attribute__((noinline)) int recurse(volatile int *above)
{
    volatile int local = *above;

    return *above == 0 ? recurse(&local) + local : 0;
}

static void *overflow(moat_co *self, void *input)
{
    volatile int local = 0;

    (void)self;
    local_at = (uintptr_t)&local;
    return recurse(&local) != 0 ? input : NULL;
}

static void an_overflow_is_visited_without_the_guard(const void *arg)
{
    moat_co *co = create(overflow, NULL);
    moat_stack_info stack;

    (void)arg;
    resume(co, MOAT_EVENT_TRAP);
    look_at(co);
    REQUIRE(moat_co_stack_info(co, &stack) == MOAT_OK);
    EXPECT(is_visited(local_at));
    EXPECT(is_visited(stack.limit));
    EXPECT(!is_visited(stack.limit - 8));
    (void)count_of(0); /* all of it can be read */
    moat_co_destroy(co);
}

static void *just_yield(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void what_the_host_gave(const void *arg)
{
    moat_co *co = create(just_yield, (void *)0x5ec4e705e4);

    (void)arg;
    EXPECT_EQ(moat_co_defer(co, nothing, (void *)0xdefe41), MOAT_OK);
    EXPECT_EQ(moat_co_defer(co, nothing, (void *)0xdefe42), MOAT_OK);
    look_at(co);
    EXPECT_EQ(count_of(~(uintptr_t)0x5ec4e705e4), 1);
    EXPECT_EQ(count_of(~(uintptr_t)0xdefe41), 1);
    EXPECT_EQ(count_of(~(uintptr_t)0xdefe42), 1);
    EXPECT_EQ(range_count, 4); /* a fresh one has no stack */
    resume(co, MOAT_EVENT_YIELD);
    look_at(co);
    EXPECT_EQ(count_of(~(uintptr_t)0x5ec4e705e4), 1);
    EXPECT_EQ(count_of(~(uintptr_t)0xdefe41), 1);
    resume(co, MOAT_EVENT_RETURN);
    look_at(co);
    EXPECT_EQ(count_of(~(uintptr_t)0xdefe41), 0);
    EXPECT_EQ(range_count, 2);
    moat_co_destroy(co);
}

static void misuse_is_refused(const void *arg)
{
    moat_co *co = create(just_yield, NULL);
    moat_stack_info info;

    (void)arg;
    EXPECT_EQ(moat_co_visit_roots(NULL, add, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_visit_roots(co, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_visit_roots(NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_at(0, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_stack_at(0, &info), MOAT_E_STATE);
    EXPECT_EQ(moat_stack_at((uintptr_t)&info, &info), MOAT_E_STATE);
    moat_co_destroy(co);
}

static void nothing_before_the_first_init(const void *arg)
{
    moat_stack_info info;

    (void)arg;
    look_at_all();
    EXPECT_EQ(range_count, 0);
    EXPECT_EQ(moat_stack_at((uintptr_t)&info, &info), MOAT_E_STATE);
}

/* ---- Those who wait for a running one ---- */

static uintptr_t host_local, outer_local, inner_local;

static void *look_around(moat_co *self, void *input)
{
    volatile int local = 1;
    moat_stack_info bounds, found;

    inner_local = (uintptr_t)&local;
    look_at_all();
    EXPECT_EQ(moat_stack_bounds(&bounds), MOAT_OK);
    EXPECT_EQ(moat_stack_at((uintptr_t)&local, &found), MOAT_OK);
    EXPECT_EQ(bounds.base, found.base);
    EXPECT_EQ(bounds.limit, found.limit);
    EXPECT_EQ(bounds.guard, found.guard);
    EXPECT_EQ(found.used, found.base - (uintptr_t)&local);
    return moat_co_yield(self, input);
}

static void *resume_inner(moat_co *self, void *input)
{
    volatile int local = 1;
    moat_event event;

    outer_local = (uintptr_t)&local;
    masked_bx = ~(uintptr_t)0x5ec4e70002;
    EXPECT_EQ(resume_with_secret(moat_co_user(self), input, &event), 0);
    return moat_co_yield(self, input);
}

static __attribute__((noinline)) void run_nested(moat_co *outer)
{
    volatile int local = 1;
    moat_event event;

    host_local = (uintptr_t)&local;
    masked_bx = ~(uintptr_t)0x5ec4e70001;
    EXPECT_EQ(resume_with_secret(outer, NULL, &event), 0);
}

static void resumers_and_the_host_wait(const void *arg)
{
    moat_co *inner = create(look_around, NULL);
    moat_co *outer = create(resume_inner, inner);

    (void)arg;
    run_nested(outer);
    EXPECT(is_visited(host_local));
    EXPECT(is_visited(outer_local));
    EXPECT(!is_visited(inner_local)); /* the caller's own stack */
    EXPECT(count_of(~(uintptr_t)0x5ec4e705e4) == 0);
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

/* The registers of those who wait are in the records of those they resumed. */
static size_t outers_secret, hosts_secret;

static void *count_secrets(moat_co *self, void *input)
{
    look_at_all();
    hosts_secret = count_of(~(uintptr_t)0x5ec4e70001);
    outers_secret = count_of(~(uintptr_t)0x5ec4e70002);
    return moat_co_yield(self, input);
}

static void registers_of_those_who_wait(const void *arg)
{
    moat_co *inner = create(count_secrets, NULL);
    moat_co *outer = create(resume_inner, inner);

    (void)arg;
    run_nested(outer);
    EXPECT(hosts_secret >= 1);
    EXPECT(outers_secret >= 1);
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

static moat_status status_of_all;

static void *look_for_status(moat_co *self, void *input)
{
    (void)self;
    range_count = 0;
    status_of_all = moat_visit_roots(add, NULL);
    return input;
}

/* The C library reads a file to find where main's stack ends. */
static void a_host_whose_stack_is_not_known(const void *arg)
{
    struct rlimit files, none = {0, 0};
    moat_co *co;

    (void)arg;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
    none.rlim_max = files.rlim_max;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    co = create(look_for_status, NULL);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
    resume(co, MOAT_EVENT_RETURN);
    EXPECT_EQ(status_of_all, MOAT_E_SYSTEM);
    EXPECT(!is_visited(host_local));
    moat_co_destroy(co);
}

/* ---- Host calls ---- */

static void *look_from_host(void *arg)
{
    look_at_all();
    return arg;
}

static __attribute__((noinline)) void call_host_from_below(moat_co *self)
{
    volatile int local = 1;

    inner_local = (uintptr_t)&local;
    leave_secrets_below();
    (void)moat_call_on_parent(self, look_from_host, NULL);
}

static void *call_host(moat_co *self, void *input)
{
    volatile char room[1024]; /* more than a red zone below the root frame */

    room[0] = 1;
    call_host_from_below(self);
    return room[0] == 1 ? input : NULL;
}

static void a_guest_in_a_host_call(const void *arg)
{
    moat_co *co = create(call_host, NULL);

    (void)arg;
    set_secrets();
    resume(co, MOAT_EVENT_RETURN);
    EXPECT(is_visited(inner_local));
    EXPECT_EQ(count_of(masked_r13), 0); /* below its stack pointer */
    EXPECT(!is_visited(local_at));
    moat_co_destroy(co);
}

/* ---- Other stacks ---- */

static void *look_parked(void *arg)
{
    moat_parked *parked = moat_guest_park();

    look_at_all();
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_OK);
    return arg;
}

static void *call_host_and_yield(moat_co *self, void *input)
{
    volatile char room[1024];

    room[0] = 0;
    inner_local = (uintptr_t)&room[1023];
    (void)moat_call_on_parent(self, look_parked, NULL);
    return moat_co_yield(self, input);
}

static void parked_guests(const void *arg)
{
    moat_co *inner = create(call_host_and_yield, NULL);
    moat_co *outer = create(resume_inner, inner);

    (void)arg;
    run_nested(outer);
    EXPECT(is_visited(host_local));
    EXPECT(is_visited(outer_local));
    EXPECT(is_visited(inner_local));
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

static _Alignas(64) char own_stack[64 << 10];
static ucontext_t guest_context, fiber_context;

static void yield_on_fiber(void)
{
    volatile int local = 1;

    outer_local = (uintptr_t)&local;
    (void)moat_co_yield(moat_co_current(), NULL);
    EXPECT_EQ(local, 1);
}

static void *run_fiber(moat_co *self, void *input)
{
    volatile int local = 1;

    (void)self;
    inner_local = (uintptr_t)&local;
    REQUIRE(getcontext(&fiber_context) == 0);
    fiber_context.uc_stack.ss_sp = own_stack;
    fiber_context.uc_stack.ss_size = sizeof own_stack;
    fiber_context.uc_link = &guest_context;
    makecontext(&fiber_context, yield_on_fiber, 0);
    REQUIRE(swapcontext(&guest_context, &fiber_context) == 0);
    return input;
}

static void a_registered_stack_of_the_guests(const void *arg)
{
    moat_co *co = create(run_fiber, NULL);
    uintptr_t low = (uintptr_t)own_stack;
    moat_stack_info info;
    moat_stack_id id;

    (void)arg;
    REQUIRE(moat_stack_register(own_stack, sizeof own_stack, &id) == MOAT_OK);
    resume(co, MOAT_EVENT_YIELD);
    look_at(co);
    EXPECT(is_visited(inner_local));
    EXPECT(is_visited(outer_local));
    EXPECT(!is_visited(low));
    EXPECT(!is_visited(low + sizeof own_stack));
    EXPECT_EQ(moat_stack_at(outer_local, &info), MOAT_OK);
    EXPECT_EQ(info.base, low + sizeof own_stack);
    EXPECT_EQ(info.limit, low);
    resume(co, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    EXPECT_EQ(moat_stack_unregister(id), MOAT_OK);
}

/* ---- Other threads ---- */

static pthread_barrier_t barrier;
static uintptr_t thread_sp, thread_base;

static void *wait_in_guest(moat_co *self, void *input)
{
    volatile int local = 1;
    moat_stack_info info;

    (void)self;
    inner_local = (uintptr_t)&local;
    thread_sp = (uintptr_t)__builtin_frame_address(0);
    EXPECT_EQ(moat_stack_bounds(&info), MOAT_OK);
    thread_base = info.base;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return input;
}

static void *thread(void *arg)
{
    volatile int local = 1;
    moat_co *suspended = create(wait_with_secrets, NULL);
    moat_co *running = create(wait_in_guest, NULL);

    host_local = (uintptr_t)&local;
    resume(suspended, MOAT_EVENT_YIELD);
    outer_local = local_at;
    resume(running, MOAT_EVENT_RETURN);
    resume(suspended, MOAT_EVENT_RETURN);
    moat_co_destroy(suspended);
    moat_co_destroy(running);
    return arg;
}

static void another_thread_that_waits(const void *arg)
{
    moat_stack_info info;
    pthread_t other;

    (void)arg;
    set_secrets();
    REQUIRE(pthread_barrier_init(&barrier, NULL, 2) == 0);
    REQUIRE(pthread_create(&other, NULL, thread, NULL) == 0);
    pthread_barrier_wait(&barrier);
    look_at_all();
    EXPECT(is_visited(host_local));
    EXPECT(is_visited(outer_local));
    EXPECT(is_visited(inner_local));
    EXPECT(count_of(masked_bx) >= 1);
    EXPECT_EQ(moat_stack_at(thread_sp, &info), MOAT_OK);
    EXPECT_EQ(info.base, thread_base);
    pthread_barrier_wait(&barrier);
    REQUIRE(pthread_join(other, NULL) == 0);
}

/* ---- In a signal handler on the alternate stack ---- */

static void look_in_handler(int signo)
{
    moat_stack_info info;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    (void)signo;
    look_at_all();
    EXPECT_EQ(moat_stack_at(here, &info), MOAT_OK);
    EXPECT(here >= info.limit && here < info.base);
    EXPECT(info.guard < info.limit);
}

static void *raise_in_guest(moat_co *self, void *input)
{
    volatile int local = 1;

    (void)self;
    inner_local = (uintptr_t)&local;
    REQUIRE(raise(SIGUSR1) == 0);
    return input;
}

static void a_handler_on_the_alternate_stack(const void *arg)
{
    struct sigaction action;
    moat_co *co = create(raise_in_guest, NULL);

    (void)arg;
    memset(&action, 0, sizeof action);
    action.sa_handler = look_in_handler;
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    resume(co, MOAT_EVENT_RETURN);
    EXPECT(is_visited(inner_local));
    EXPECT(!is_visited(host_local));
    moat_co_destroy(co);
}

/* ---- At every instruction ---- */

/*
 * A collector stops a thread anywhere. Here each instruction traps into a
 * handler, on the stack that was interrupted, which scans as a collector would:
 * from its own frame, above which the interrupted registers lie, to the end of
 * that stack, and what moat visits. All of the values must be found.
 */
static uintptr_t host_base;
static unsigned long steps, lost;
static volatile bool inner_lives;

static bool all_are_found(void)
{
    return is_visited(host_local) && is_visited(outer_local) &&
           count_of(masked_fp) != 0 &&
           (!inner_lives || is_visited(inner_local));
}

static void on_step(int signo, siginfo_t *info, void *context)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)7;
    moat_stack_info stack;

    (void)signo, (void)info, (void)context;
    range_count = 0;
    (void)moat_visit_roots(add, NULL);
    ranges[range_count].begin = here;
    ranges[range_count++].end =
        moat_stack_at(here, &stack) == MOAT_OK ? stack.base : host_base;
    steps++;
    lost += !all_are_found();
}

static inline __attribute__((always_inline)) void set_trap_flag(bool on)
{
    __asm__ volatile("pushfq\n\t"
                     "andq $~0x100, (%%rsp)\n\t"
                     "orq %0, (%%rsp)\n\t"
                     "popfq"
                     :
                     : "r"(on ? (uint64_t)0x100 : 0)
                     : "memory", "cc");
}

static void *host_call_nothing(void *arg)
{
    return arg;
}

static void *stepped_inner(moat_co *self, void *input)
{
    volatile int local = 1;
    void *back;

    inner_local = (uintptr_t)&local;
    inner_lives = true;
    (void)moat_co_yield(self, NULL);
    (void)moat_call_on_parent(self, host_call_nothing, NULL);
    if (moat_co_switch_to(self, moat_co_user(self), NULL, &back) != MOAT_OK)
        return NULL;
    inner_lives = false;
    return input;
}

static void *stepped_partner(moat_co *self, void *input)
{
    return moat_co_yield(self, input);
}

static void *stepped_outer(moat_co *self, void *input)
{
    volatile int local = 1;
    moat_co *inner = moat_co_user(self);

    outer_local = (uintptr_t)&local;
    /* From here on all values are there. */
    set_trap_flag(true);
    resume(inner, MOAT_EVENT_YIELD);
    resume(inner, MOAT_EVENT_YIELD);
    (void)moat_co_yield(self, NULL);
    resume(inner, MOAT_EVENT_RETURN);
    set_trap_flag(false);
    return input;
}

static __attribute__((noinline)) void run_stepped(moat_co *outer)
{
    volatile int local = 1;

    host_local = (uintptr_t)&local;
    resume(outer, MOAT_EVENT_YIELD);
    resume(outer, MOAT_EVENT_RETURN);
}

static void install_stepper(void)
{
    struct sigaction action;
    pthread_attr_t attributes;
    size_t bytes;
    void *limit;

    REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
    REQUIRE(pthread_attr_getstack(&attributes, &limit, &bytes) == 0);
    REQUIRE(pthread_attr_destroy(&attributes) == 0);
    host_base = (uintptr_t)limit + bytes;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
}

static void at_every_instruction(const void *arg)
{
    moat_co *keeper = create(wait_with_secrets, NULL);
    moat_co *partner = create(stepped_partner, NULL);
    moat_co *inner = create(stepped_inner, partner);
    moat_co *outer = create(stepped_outer, inner);

    (void)arg;
    set_secrets();
    resume(keeper, MOAT_EVENT_YIELD);
    install_stepper();
    run_stepped(outer);
    EXPECT(steps > 500);
    EXPECT_EQ(lost, 0);
    moat_co_destroy(outer);
    moat_co_destroy(inner);
    moat_co_destroy(partner);
    moat_co_destroy(keeper);
}

#if UNDER_ASAN || UNDER_TSAN
#    define NO_STEPS "a sanitizer's own code lies on the way"
#elif SWITCH_BY_THREADS
#    define NO_STEPS "a hand-over blocks SIGTRAP"
#elif MOAT_SWITCH_PORTABLE && !SWITCH_SETS_MASK
#    define NO_STEPS "SIGTRAP is blocked in a first entry"
#else
#    define NO_STEPS NULL
#endif

#if UNDER_ASAN || UNDER_TSAN
#    define NO_FIBERS "a sanitizer does not know the guest's own stack"
#else
#    define NO_FIBERS NULL
#endif

static const struct child_case cases[] = {
    CHILD_CASE(registers_of_a_suspended_one),
    CHILD_CASE(dead_frames_are_not_visited),
    CHILD_CASE(registers_of_a_trapped_one),
    CHILD_CASE(an_overflow_is_visited_without_the_guard),
    CHILD_CASE(what_the_host_gave),
    CHILD_CASE(misuse_is_refused),
    CHILD_CASE(nothing_before_the_first_init),
    CHILD_CASE(resumers_and_the_host_wait),
    CHILD_CASE(registers_of_those_who_wait),
    CHILD_CASE(a_host_whose_stack_is_not_known),
    CHILD_CASE(a_guest_in_a_host_call),
    CHILD_CASE(parked_guests),
    {"a_registered_stack_of_the_guests", a_registered_stack_of_the_guests, NULL,
     NO_FIBERS, 0, 0},
    CHILD_CASE(another_thread_that_waits),
    CHILD_CASE(a_handler_on_the_alternate_stack),
    {"at_every_instruction", at_every_instruction, NULL, NO_STEPS, 0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("roots", cases, sizeof cases / sizeof *cases,
                           argc > 1 ? argv[1] : NULL);
}
