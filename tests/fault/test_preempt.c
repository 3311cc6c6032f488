/*
 * test_preempt.c: time slices: guests that are suspended at any instruction and
 * continue as if nothing had happened, and places where they are not suspended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <alloca.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <moat/moat.h>
#include <moat/usage.h>

#include "../support/fixture.h"
#include "guests.h"
#include "preempted.h"

#define US       UINT64_C(1000)
#define SLICE_NS (200 * US)
/* On a busy machine the first signals may come before the guest is entered. */
#define AMPLE_NS     (40 * MS)
#define SHORTEST     (20 * US)
#define INSTRUCTIONS 10000
#define TRAP_FLAG    0x100

int __real_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);
int __wrap_timer_create(clockid_t clock, struct sigevent *event,
                        timer_t *timer);

static struct sigevent timers; /* what the library's timer sends */

int __wrap_timer_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    timers = *event;
    return __real_timer_create(clock, event, timer);
}

static moat_co *create_sliced(moat_entry entry, uint64_t slice_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.slice_ns = slice_ns;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static uint64_t preemptions_of(const moat_co *co)
{
    moat_usage usage = MOAT_USAGE_INIT;

    EXPECT_EQ(moat_co_usage(co, &usage), MOAT_OK);
    return usage.preemptions;
}

/* ---- Suspended, and continued ---- */

static volatile uint64_t laps;

static void *count_for_ever(moat_co *self, void *input)
{
    (void)self;
    (void)input;
    for (;;)
        laps++;
    return NULL;
}

static void an_endless_loop_gives_way_again_and_again(const void *arg)
{
    moat_co *co = create_sliced(count_for_ever, SLICE_NS);

    (void)arg;
    for (unsigned i = 1; i <= 20; i++) {
        uint64_t before = laps;
        moat_event event = guest_resume(co, NULL);

        EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
        EXPECT(event.value == NULL && event.co == co);
        EXPECT_EQ(moat_co_get_state(co), MOAT_CO_SUSPENDED);
        EXPECT_EQ(preemptions_of(co), i);
        EXPECT(laps > before);
        EXPECT(moat_co_current() == NULL);
    }
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    moat_co_destroy(co);
}

static void *watch_errno(moat_co *self, void *input)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 20 * SLICE_NS;

    (void)self;
    EXPECT(input == &laps);
    errno = 77;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        EXPECT_EQ(errno, 77);
    return input;
}

static void errno_and_the_first_input_are_kept(const void *arg)
{
    moat_co *co = create_sliced(watch_errno, SLICE_NS);
    moat_event event = guest_resume(co, (void *)&laps);
    unsigned times = 0;

    (void)arg;
    for (; event.kind == MOAT_EVENT_PREEMPT; times++) {
        errno = 5;
        event = guest_resume(co, NULL);
        EXPECT_EQ(errno, 77);
    }
    EXPECT(times > 2);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == (void *)&laps);
    moat_co_destroy(co);
}

/* ---- At each instruction ---- */

static unsigned char *code;
static size_t code_bytes;
static uint32_t starts[INSTRUCTIONS];
static volatile bool fired, on_its_way_in;
static volatile uintptr_t last_offset = UINTPTR_MAX;
static volatile unsigned missed;
static struct cpu_image *given;

/* As the timer does. Blocked until the handler that calls it returns. */
static void fire(void)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_signo = timers.sigev_signo;
    info.si_code = SI_TIMER;
    info.si_value = timers.sigev_value;
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
                  info.si_signo, &info);
}

static void on_step(int signo, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    uintptr_t offset = (uintptr_t)g[REG_RIP] - (uintptr_t)code;
    uint64_t end;

    (void)signo;
    (void)info;
    if (offset >= code_bytes) {
        /* On its way out. On its way in it goes on, step by step. */
        if (!on_its_way_in)
            g[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    on_its_way_in = false;
    if (offset == last_offset)
        return;
    last_offset = offset;
    if (fired)
        missed++;
    end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + SHORTEST * 3 / 2;
    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
    fired = true;
    fire();
}

static void map_program(uint64_t *seed)
{
    code = mmap(NULL, PROGRAM_BYTES(INSTRUCTIONS), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(code != MAP_FAILED);
    code_bytes = random_program(seed, INSTRUCTIONS, code, starts);
    REQUIRE(mprotect(code, PROGRAM_BYTES(INSTRUCTIONS),
                     PROT_READ | PROT_EXEC) == 0);
    preempted_body = code;
}

static void *run_program(moat_co *self, void *input)
{
    (void)self;
    preempted_run(given, input);
    return input;
}

static void skip_without_xsave(void)
{
    if (!cpu_has_xsave())
        child_leave_out("this CPU has no XSAVE");
}

static void nothing_is_lost_at_any_instruction(const void *arg)
{
    uint64_t seed = 1;
    struct cpu_image *expected, *out, *garbage;
    struct sigaction action;
    moat_event event;
    moat_co *co;
    unsigned times = 0;

    (void)arg;
    skip_without_xsave();
    given = cpu_image_make(&seed, true);
    garbage = cpu_image_make(&seed, true);
    expected = cpu_image_make(&seed, false);
    out = cpu_image_make(&seed, false);
    map_program(&seed);
    preempted_run(given, expected);
    co = create_sliced(run_program, SHORTEST);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigfillset(&action.sa_mask);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    given->flags |= TRAP_FLAG;
    on_its_way_in = true;
    for (event = guest_resume(co, out); event.kind == MOAT_EVENT_PREEMPT;
         event = guest_resume(co, NULL), times++) {
        preempted_destroy(garbage);
        fired = false;
        on_its_way_in = true;
    }
    if (!EXPECT_EQ(event.kind, MOAT_EVENT_RETURN))
        (void)!moat_co_print_report(co, STDERR_FILENO);
    EXPECT_STR(cpu_image_difference(expected, out), "");
    EXPECT_EQ(missed, 0);
    EXPECT(times >= INSTRUCTIONS);
    moat_co_destroy(co);
}

/* ---- What a call may expect, and what was not in use ---- */

static volatile bool resumed;

#define ROUND_TO_ZERO 0x7f80u
#define ROUND_UP      0x5f80u

/* Nothing that the compiler would keep in a register is live here. */
static void *fill_the_x87_stack(moat_co *self, void *input)
{
    static const unsigned mxcsr = ROUND_TO_ZERO;
    static const unsigned short fcw = 0x0f7f;
    static unsigned mxcsr_after;
    static unsigned short fcw_after;

    (void)self;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(fcw));
    __asm__ volatile("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1");
    while (!resumed)
        laps++;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1\n\tfninit"
                     : "=m"(mxcsr_after), "=m"(fcw_after));
    EXPECT_EQ(mxcsr_after & 0xffc0u, mxcsr & 0xffc0u);
    EXPECT_EQ(fcw_after, fcw);
    return input;
}

static void the_resumer_has_the_state_that_a_call_may_expect(const void *arg)
{
    moat_co *co = create_sliced(fill_the_x87_stack, SLICE_NS);
    volatile long double third = 1.0L / 3;
    const unsigned mxcsr = ROUND_UP;
    const unsigned short fcw = 0x0b7f;
    unsigned mxcsr_after;
    unsigned short fcw_after;

    (void)arg;
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(fcw));
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(mxcsr_after), "=m"(fcw_after));
    EXPECT(third * 2 - third == third);
    EXPECT_EQ(mxcsr_after & 0xffc0u, mxcsr);
    EXPECT_EQ(fcw_after, fcw);
    resumed = true;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Nearly all guests use no more than this. */
static __attribute__((target("avx"))) void *use_no_avx(moat_co *self,
                                                       void *input)
{
    unsigned char upper[16];

    (void)self;
    __asm__ volatile("vzeroall");
    while (!resumed)
        laps++;
    __asm__ volatile("vextractf128 $1, %%ymm7, %0" : "=m"(upper));
    for (size_t i = 0; i < sizeof upper; i++)
        EXPECT_EQ(upper[i], 0);
    return input;
}

static void what_was_not_in_use_has_its_initial_value(const void *arg)
{
    uint64_t seed = 5;
    struct cpu_image *garbage;
    moat_co *co;

    (void)arg;
    skip_without_xsave();
    if (!__builtin_cpu_supports("avx"))
        child_leave_out("this CPU has no AVX");
    garbage = cpu_image_make(&seed, true);
    co = create_sliced(use_no_avx, SLICE_NS);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    preempted_destroy(garbage);
    resumed = true;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* ---- At random instructions, on several threads ---- */

#define GUESTS  3
#define THREADS 4

static struct cpu_image *reference;
static unsigned long wanted; /* preemptions of a thread */

static void *run_again_and_again(moat_co *self, void *input)
{
    uint64_t seed = 3;
    struct cpu_image *out = cpu_image_make(&seed, false);

    for (;;) {
        preempted_run(given, out);
        if (!EXPECT_STR(cpu_image_difference(reference, out), ""))
            break;
        input = moat_co_yield(self, input);
    }
    return input;
}

static void *preempt_three(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    struct cpu_image *garbage = cpu_image_make(&seed, true);
    moat_co *guests[GUESTS];
    unsigned long times = 0;

    for (unsigned i = 0; i < GUESTS; i++)
        guests[i] = create_sliced(run_again_and_again, SHORTEST + i * US);
    for (unsigned i = 0; times < wanted; i++) {
        moat_event event = guest_resume(guests[i % GUESTS], arg);

        if (event.kind == MOAT_EVENT_PREEMPT) {
            times++;
            preempted_destroy(garbage);
        } else if (!EXPECT_EQ(event.kind, MOAT_EVENT_YIELD)) {
            break;
        }
    }
    for (unsigned i = 0; i < GUESTS; i++)
        moat_co_destroy(guests[i]);
    return NULL;
}

static void nothing_is_lost_at_random_on_several_threads(const void *arg)
{
    const char *asked = getenv("MOAT_TEST_PREEMPTIONS");
    uint64_t seed = 2;
    pthread_t threads[THREADS];

    (void)arg;
    skip_without_xsave();
    wanted = (asked != NULL ? strtoul(asked, NULL, 10) : 2000) / THREADS;
    given = cpu_image_make(&seed, true);
    reference = cpu_image_make(&seed, false);
    map_program(&seed);
    preempted_run(given, reference);
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, preempt_three,
                               (void *)(i + 1)) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

/* ---- Where a guest is not suspended ---- */

static volatile bool spared;

static void spin(uint64_t ns)
{
    uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
}

/* Resumes the guest to its end, and expects it never to be suspended while
 * `spared` is set, and yet somewhere. */
static void expect_never_while_spared(moat_co *co)
{
    moat_event event = guest_resume(co, NULL);
    unsigned times = 0;

    for (; event.kind == MOAT_EVENT_PREEMPT; times++) {
        EXPECT(!spared);
        event = guest_resume(co, NULL);
    }
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(times > 0);
    moat_co_destroy(co);
}

static void *spin_in_a_section(moat_co *self, void *input)
{
    (void)self;
    for (unsigned i = 0; i < 3; i++) {
        moat_notrap_enter();
        spared = true;
        spin(5 * SLICE_NS);
        while (!moat_poll())
            continue;
        spared = false;
        moat_notrap_leave();
        spin(5 * MS);
    }
    return input;
}

static void a_guest_in_a_section_is_not_suspended(const void *arg)
{
    (void)arg;
    expect_never_while_spared(create_sliced(spin_in_a_section, SLICE_NS));
}

static void *spin_on_hosts_stack(void *arg)
{
    spared = true;
    spin(5 * MS);
    spared = false;
    return arg;
}

static void *spin_in_a_host_call(moat_co *self, void *input)
{
    for (unsigned i = 0; i < 3; i++) {
        (void)moat_call_on_parent(self, spin_on_hosts_stack, NULL);
        spin(5 * MS);
    }
    return input;
}

static void a_guest_in_a_host_call_is_not_suspended(const void *arg)
{
    (void)arg;
    expect_never_while_spared(create_sliced(spin_in_a_host_call, SLICE_NS));
}

static __attribute__((noinline)) void spin_near_the_limit(void)
{
    moat_stack_info info;
    volatile char *used;

    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    used = alloca((uintptr_t)__builtin_frame_address(0) - info.limit -
                  (UNDER_ASAN ? 4000 : 2000)); /* it calls its runtime */
    used[0] = 0;
    spared = true;
    for (laps = 0; laps < 20000000; laps++)
        continue;
    spared = false;
}

static void *spin_deep_and_flat(moat_co *self, void *input)
{
    (void)self;
    spin_near_the_limit();
    spin(10 * SLICE_NS);
    return input;
}

static void a_guest_without_room_is_not_suspended(const void *arg)
{
    (void)arg;
    expect_never_while_spared(create_sliced(spin_deep_and_flat, SLICE_NS));
}

static ucontext_t guests_own, elsewhere;

static void spin_elsewhere(void)
{
    spared = true;
    spin(5 * MS);
    spared = false;
}

/* Nobody knows that this memory is a stack. */
static void *spin_on_memory(moat_co *self, void *input)
{
    static _Alignas(16) char memory[64 << 10];

    (void)self;
    for (unsigned i = 0; i < 3; i++) {
        REQUIRE(getcontext(&elsewhere) == 0);
        elsewhere.uc_stack.ss_sp = memory;
        elsewhere.uc_stack.ss_size = sizeof memory;
        elsewhere.uc_link = &guests_own;
        makecontext(&elsewhere, spin_elsewhere, 0);
        REQUIRE(swapcontext(&guests_own, &elsewhere) == 0);
        spin(5 * MS);
    }
    return input;
}

static void a_guest_on_other_memory_is_not_suspended(const void *arg)
{
    (void)arg;
    expect_never_while_spared(create_sliced(spin_on_memory, SLICE_NS));
}

static moat_stack_id stack_id;

static void *spin_on_registered(moat_co *self, void *input)
{
    static _Alignas(16) char memory[64 << 10];

    (void)self;
    REQUIRE(moat_stack_register(memory, sizeof memory, &stack_id) == MOAT_OK);
    REQUIRE(getcontext(&elsewhere) == 0);
    elsewhere.uc_stack.ss_sp = memory;
    elsewhere.uc_stack.ss_size = sizeof memory;
    elsewhere.uc_link = &guests_own;
    makecontext(&elsewhere, spin_elsewhere, 0);
    REQUIRE(swapcontext(&guests_own, &elsewhere) == 0);
    return input;
}

static void a_guest_on_a_registered_stack_is_suspended_there(const void *arg)
{
    moat_co *co = create_sliced(spin_on_registered, SLICE_NS);
    moat_event event = guest_resume(co, NULL);
    unsigned times = 0;

    (void)arg;
    for (; event.kind == MOAT_EVENT_PREEMPT; event = guest_resume(co, NULL))
        times += spared;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(times > 0);
    EXPECT_EQ(moat_stack_unregister(stack_id), MOAT_OK);
    moat_co_destroy(co);
}

static moat_co *inner;

static void *resume_inner(moat_co *self, void *input)
{
    (void)self;
    for (unsigned i = 0; i < 3; i++) {
        spared = true;
        EXPECT_EQ(guest_resume(inner, NULL).kind, MOAT_EVENT_YIELD);
        spared = false;
        spin(5 * MS);
    }
    return input;
}

static void *spin_and_yield(moat_co *self, void *input)
{
    for (;;) {
        spin(5 * MS);
        input = moat_co_yield(self, input);
    }
    return input;
}

static void a_guest_is_not_suspended_amid_another(const void *arg)
{
    moat_co *outer = create_sliced(resume_inner, SLICE_NS);

    (void)arg;
    inner = guest_create(spin_and_yield);
    expect_never_while_spared(outer);
    moat_co_destroy(inner);
}

static void *resume_sliced(moat_co *self, void *input)
{
    EXPECT_EQ(guest_resume(inner, NULL).kind, MOAT_EVENT_PREEMPT);
    EXPECT(moat_co_current() == self);
    EXPECT_EQ(guest_resume(inner, NULL).kind, MOAT_EVENT_PREEMPT);
    return input;
}

static void a_guest_has_the_event_of_its_own_guest(const void *arg)
{
    moat_co *outer = guest_create(resume_sliced);

    (void)arg;
    inner = create_sliced(count_for_ever, SLICE_NS);
    EXPECT_EQ(guest_resume(outer, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(outer);
    moat_co_destroy(inner);
}

/* ---- Beside the rest ---- */

static void *to_input(moat_co *self, void *input)
{
    void *back;

    EXPECT_EQ(moat_co_switch_to(self, input, NULL, &back), MOAT_OK);
    return self;
}

static void a_transfer_continues_a_preempted_guest(const void *arg)
{
    moat_co *co = create_sliced(count_for_ever, SLICE_NS);
    moat_co *first = guest_create(to_input);
    uint64_t before;
    moat_event event;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    before = laps;
    event = guest_resume(first, co);
    EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
    EXPECT(event.co == co && laps > before);
    EXPECT_EQ(guest_resume(first, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(first);
    moat_co_destroy(co);
}

static void a_total_still_ends_the_guest(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    limits.slice_ns = SLICE_NS;
    limits.total_cpu_ns = 20 * SLICE_NS;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, count_for_ever, &options) == MOAT_OK);
    do {
        event = guest_resume(co, NULL);
    } while (event.kind == MOAT_EVENT_PREEMPT);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.limit, MOAT_LIMIT_TOTAL_CPU);
    EXPECT(preemptions_of(co) > 0);
    moat_co_destroy(co);
}

static void *spin_briefly(moat_co *self, void *input)
{
    (void)self;
    spin(MS);
    fire();
    return input;
}

/* The CPU time that the thread had used before is not the guest's. */
static void a_slice_beside_a_total_of_real_time_is_not_early(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    (void)arg;
    spin(150 * MS);
    limits.slice_ns = 120 * MS;
    limits.total_wall_ns = UINT64_MAX;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, spin_briefly, &options) == MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

/* Nobody waits for the guest there. */
static void *fork_and_spin(moat_co *self, void *input)
{
    pid_t child = fork();
    int status = 0;

    (void)self;
    REQUIRE(child >= 0);
    if (child == 0) {
        spin(10 * MS);
        _exit(7);
    }
    while (waitpid(child, &status, 0) != child)
        continue;
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
    return input;
}

static void a_forked_child_has_no_slices(const void *arg)
{
    moat_co *co = create_sliced(fork_and_spin, SLICE_NS);
    moat_event event;

    (void)arg;
    do {
        event = guest_resume(co, NULL);
    } while (event.kind == MOAT_EVENT_PREEMPT);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void *spin_if_asked(moat_co *self, void *input)
{
    (void)self;
    if (input != NULL)
        spin(AMPLE_NS);
    return input;
}

static void the_next_one_on_the_same_stack_has_its_own_count(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL, *next = NULL;
    moat_event event;
    moat_spec *spec;

    (void)arg;
    limits.slice_ns = SLICE_NS;
    options.limits = &limits;
    REQUIRE(moat_spec_create(&spec, &options) == MOAT_OK);
    REQUIRE(moat_co_create_from(&co, spec, spin_if_asked, NULL) == MOAT_OK);
    do {
        event = guest_resume(co, &limits);
    } while (event.kind == MOAT_EVENT_PREEMPT);
    EXPECT(preemptions_of(co) > 0);
    moat_co_destroy(co);
    REQUIRE(moat_co_create_from(&next, spec, spin_if_asked, NULL) == MOAT_OK);
    EXPECT(next == co);
    EXPECT_EQ(preemptions_of(next), 0);
    moat_co_destroy(next);
    moat_spec_destroy(spec);
}

static unsigned ran;

static void note(void *arg)
{
    (void)arg;
    ran++;
}

static void note_cleanup(const int *unused)
{
    (void)unused;
    ran += 100;
}

static void *defer_and_count(moat_co *self, void *input)
{
    __attribute__((cleanup(note_cleanup))) int cleaned = 0;

    EXPECT_EQ(moat_co_defer(self, note, NULL), MOAT_OK);
    (void)cleaned;
    return count_for_ever(self, input);
}

static void a_cancel_runs_what_was_deferred_and_unwinds_nothing(const void *arg)
{
    moat_co *co = create_sliced(defer_and_count, SLICE_NS);
    moat_event event;

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
    EXPECT_EQ(preemptions_of(co), 1);
    moat_co_destroy(co);
    EXPECT_EQ(ran, 2);
}

static void *yield_after_a_spin(moat_co *self, void *input)
{
    __attribute__((cleanup(note_cleanup))) int cleaned = 0;

    spin(AMPLE_NS);
    (void)cleaned;
    return moat_co_yield(self, input);
}

static void a_guest_in_a_yield_is_unwound_as_ever(const void *arg)
{
    moat_co *co = create_sliced(yield_after_a_spin, SLICE_NS);
    moat_event event = guest_resume(co, NULL);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
    while (event.kind == MOAT_EVENT_PREEMPT)
        event = guest_resume(co, NULL);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(ran, 100);
    moat_co_destroy(co);
}

/* ---- While it is unwound ---- */

static void clean_up_slowly(const int *unused)
{
    (void)unused;
    spin(20 * SLICE_NS);
    ran++;
}

static void *yield_with_much_to_clean_up(moat_co *self, void *input)
{
    __attribute__((cleanup(clean_up_slowly))) int cleaned = 0;

    (void)cleaned;
    return moat_co_yield(self, input);
}

static void resume_to_a_yield(moat_co *co)
{
    moat_event event = guest_resume(co, NULL);

    while (event.kind == MOAT_EVENT_PREEMPT)
        event = guest_resume(co, NULL);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
}

static void no_slice_ends_while_a_guest_is_unwound(const void *arg)
{
    moat_co *co = create_sliced(yield_with_much_to_clean_up, SLICE_NS);
    moat_event event;

    (void)arg;
    resume_to_a_yield(co);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    resume_to_a_yield(co);
    moat_co_destroy(co);
    EXPECT_EQ(ran, 2);
}

static void clean_up_for_ever(const int *unused)
{
    (void)unused;
    for (;;)
        laps++;
}

static void *yield_before_an_endless_clean_up(moat_co *self, void *input)
{
    __attribute__((cleanup(clean_up_for_ever))) int cleaned = 0;

    (void)cleaned;
    return moat_co_yield(self, input);
}

static void a_total_ends_a_clean_up(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event;
    moat_co *co;

    (void)arg;
    limits.slice_ns = SLICE_NS;
    limits.total_cpu_ns = 50 * MS;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, yield_before_an_endless_clean_up, &options) ==
            MOAT_OK);
    resume_to_a_yield(co);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    moat_co_destroy(co);
}

/* ---- Beside one that is parked ---- */

static moat_co *preempted_one;

static void resume_the_preempted_one(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        EXPECT_EQ(guest_resume(preempted_one, NULL).kind, MOAT_EVENT_PREEMPT);
}

static void *park_and_resume_another(void *arg)
{
    moat_parked *parked = moat_guest_park();

    EXPECT(parked != NULL);
    resume_the_preempted_one(5);
    spin(5 * SLICE_NS);
    EXPECT_EQ(moat_guest_unpark(parked), MOAT_OK);
    return arg;
}

static void *park_and_count(moat_co *self, void *input)
{
    for (int i = 0; i < 3; i++) {
        EXPECT(moat_call_on_parent(self, park_and_resume_another, self) ==
               self);
        EXPECT(moat_co_current() == self);
    }
    return count_for_ever(self, input);
}

static void a_parked_guest_is_preempted_once_it_runs_again(const void *arg)
{
    moat_co *co = create_sliced(park_and_count, SLICE_NS);

    (void)arg;
    preempted_one = create_sliced(count_for_ever, SLICE_NS);
    resume_the_preempted_one(1);
    for (unsigned i = 1; i <= 10; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
        EXPECT_EQ(preemptions_of(co), i);
        resume_the_preempted_one(1);
    }
    EXPECT_EQ(moat_engine_check(), MOAT_OK);
    moat_co_destroy(co);
    moat_co_destroy(preempted_one);
}

static __attribute__((noinline)) void spin_in_the_leaf(void)
{
    for (;;)
        laps++;
}

static __attribute__((noinline)) void call_the_leaf(volatile int *depth)
{
    spin_in_the_leaf();
    *depth = 0;
}

static void *call_down(moat_co *self, void *input)
{
    volatile int depth = 1;

    (void)self;
    call_the_leaf(&depth);
    return input;
}

static void expect_frames(const moat_frame *frames, size_t count)
{
    static const char *const names[] = {"spin_in_the_leaf", "call_the_leaf",
                                        "call_down"};
    size_t found = 0;

    for (size_t i = 0; i < count && found < 3; i++) {
        char text[256] = "";

        if (moat_frame_describe(&frames[i], text, sizeof text) == MOAT_OK &&
            strstr(text, names[found]) != NULL)
            found++;
    }
    EXPECT_EQ(found, 3);
}

static void a_preempted_guests_backtrace_is_whole(const void *arg)
{
    moat_co *co = create_sliced(call_down, SLICE_NS);
    moat_frame frames[32];
    size_t count = 0;
    moat_status status;

    (void)arg;
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_PREEMPT);
        status = moat_co_backtrace(co, frames, 32, &count);
        if (status == MOAT_E_UNSUPPORTED)
            break;
        EXPECT_EQ(status, MOAT_OK);
        for (size_t k = 0; k < count; k++)
            EXPECT((frames[k].flags & MOAT_FRAME_GUESSED) == 0);
        expect_frames(frames, count);
    }
    moat_co_destroy(co);
}

/* ---- Walked at each instruction of the way out and in ---- */

static moat_co *walked;
static volatile unsigned walks, steps;
static uintptr_t chain[3]; /* where the functions begin                     */

/* The breakpoints begin and end the single steps. The flag is set in the
 * handler, since the guest may be preempted anywhere: an instruction that
 * pushes flags would need unwind rows of its own. */
static __attribute__((noinline)) void walked_leaf(void)
{
    __asm__ volatile("int3");
    for (laps = 0; laps < 100; laps++)
        continue;
    __asm__ volatile("int3");
}

static __attribute__((noinline)) void *walked_entry(moat_co *self, void *input)
{
    volatile int depth = 1;

    (void)self;
    walked_leaf();
    depth = 0;
    return depth == 0 ? input : NULL;
}

static __attribute__((noinline)) moat_event resume_walked(void)
{
    moat_event event = guest_resume(walked, NULL);

    walks++;
    return event;
}

static _Unwind_Reason_Code meet(struct _Unwind_Context *context, void *arg)
{
    unsigned *met = arg;

    if (*met < 3 && _Unwind_GetRegionStart(context) == chain[*met])
        ++*met;
    return _URC_NO_REASON;
}

/* Of the library that is linked in. */
extern const char moat_arch_preempted[] __attribute__((visibility("hidden")));
extern const char moat_arch_preempted_end[]
    __attribute__((visibility("hidden")));

/* Elsewhere there is code without unwind information: jumps of the linker's. */
static bool is_on_the_way(uintptr_t pc)
{
    return pc >= (uintptr_t)moat_arch_preempted &&
           pc < (uintptr_t)moat_arch_preempted_end;
}

static void on_walk(int signo, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    /* Its frames are no longer the thread's, or not yet. */
    bool waits = moat_co_get_state(walked) == MOAT_CO_SUSPENDED;
    unsigned met = waits ? 2 : 0;

    (void)signo;
    if (info->si_code == SI_KERNEL) { /* a breakpoint of walked_leaf */
        g[REG_EFL] ^= (greg_t)TRAP_FLAG;
        return;
    }
    if (moat_co_current() != walked) {
        g[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    expect_context("pc %#llx", (unsigned long long)g[REG_RIP]);
    if (is_on_the_way((uintptr_t)g[REG_RIP])) {
        (void)_Unwind_Backtrace(meet, &met);
        EXPECT_EQ(met, 3);
        walks++;
    }
    if (++steps == 20) {
        spin(2 * SLICE_NS);
        fire();
    }
}

static void each_instruction_of_the_way_can_be_walked(const void *arg)
{
    struct sigaction action;
    moat_event event;

    (void)arg;
    chain[0] = (uintptr_t)walked_leaf;
    chain[1] = (uintptr_t)walked_entry;
    chain[2] = (uintptr_t)resume_walked;
    walked = create_sliced(walked_entry, SLICE_NS);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_walk;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigfillset(&action.sa_mask);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    event = resume_walked();
    EXPECT_EQ(event.kind, MOAT_EVENT_PREEMPT);
    while (event.kind == MOAT_EVENT_PREEMPT)
        event = resume_walked();
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(walks > 70);
    moat_co_destroy(walked);
}

/* ---- Left half-way by a handler ---- */

static sigjmp_buf way_back;
static volatile unsigned jump_at, ways; /* instructions of the way out */
static volatile bool has_jumped, has_left;
static uintptr_t guests_frame;

static bool is_on_the_way_out(const greg_t *g)
{
    return !has_left && (ways != 0 || is_on_the_way((uintptr_t)g[REG_RIP])) &&
           guests_frame - (uintptr_t)g[REG_RSP] < 32768;
}

static void on_leave(int signo, siginfo_t *info, void *ucontext)
{
    greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

    (void)signo;
    if (info->si_code == SI_KERNEL) { /* a breakpoint of walked_leaf */
        g[REG_EFL] ^= (greg_t)TRAP_FLAG;
        return;
    }
    if (moat_co_current() != walked) {
        g[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    if (is_on_the_way_out(g) && ways++ == jump_at) {
        has_jumped = true;
        siglongjmp(way_back, 1);
    }
    if (++steps == 20) {
        spin(2 * SLICE_NS);
        fire();
    }
}

/* What the guest does after the jump: it loops; it loops in a function that it
 * calls, below the frames that the handler has left; it faults. */
static char deep, fault;

static void *go_on_after_the_jump(moat_co *self, void *input)
{
    (void)self;
    guests_frame = (uintptr_t)__builtin_frame_address(0);
    if (sigsetjmp(way_back, 1) == 0)
        walked_leaf();
    if (input == &fault)
        __builtin_trap();
    if (input == &deep)
        spin(300 * MS);
    else
        for (laps = 0; laps < 3000000; laps++)
            continue;
    return input;
}

/* Counts the preemptions of a guest after its handler has left at that
 * instruction of the way out. */
static unsigned count_after_a_jump_at(unsigned instruction, void *input)
{
    moat_event event;
    unsigned times = 0;

    jump_at = instruction;
    ways = steps = 0;
    has_jumped = has_left = false;
    walked = create_sliced(go_on_after_the_jump, SLICE_NS);
    do {
        event = guest_resume(walked, input);
        has_left = true;
        times += has_jumped && event.kind == MOAT_EVENT_PREEMPT;
    } while (event.kind == MOAT_EVENT_PREEMPT);
    EXPECT_EQ(event.kind,
              input == &fault ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    moat_co_destroy(walked);
    return times;
}

/* The guest has called nothing that the jump could have left half done. */
static void slices_go_on_if_a_handler_leaves_the_way(const void *arg)
{
    struct sigaction action;
    unsigned i;

    (void)arg;
    REQUIRE(moat_thread_attach() == MOAT_OK);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_leave;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigfillset(&action.sa_mask);
    REQUIRE(sigaction(SIGTRAP, &action, NULL) == 0);
    for (i = 0;; i++) {
        unsigned times = count_after_a_jump_at(i, NULL);

        if (!has_jumped)
            break;
        expect_context("instruction %u", i);
        EXPECT(times > 0);
        (void)count_after_a_jump_at(i, &fault);
    }
    EXPECT(i > 60);
    EXPECT(count_after_a_jump_at(30, &deep) > 0);
}

#define DELAYED  (UNDER_TSAN ? "signals are delayed" : NULL)
#define NO_STEPS (SWITCH_BY_THREADS ? "a hand-over blocks SIGTRAP" : DELAYED)
#define CASE(function)                           \
    {                                            \
#        function, function, NULL, DELAYED, 0, 0 \
    }

static const struct child_case cases[] = {
    CASE(an_endless_loop_gives_way_again_and_again),
    CASE(errno_and_the_first_input_are_kept),
    {"nothing_is_lost_at_any_instruction", nothing_is_lost_at_any_instruction,
     NULL, NO_STEPS, 0, 0},
    CASE(the_resumer_has_the_state_that_a_call_may_expect),
    CASE(what_was_not_in_use_has_its_initial_value),
    CASE(nothing_is_lost_at_random_on_several_threads),
    CASE(a_guest_in_a_section_is_not_suspended),
    CASE(a_guest_in_a_host_call_is_not_suspended),
    CASE(a_guest_without_room_is_not_suspended),
    CASE(a_guest_on_other_memory_is_not_suspended),
    CASE(a_guest_on_a_registered_stack_is_suspended_there),
    CASE(a_guest_is_not_suspended_amid_another),
    CASE(a_guest_has_the_event_of_its_own_guest),
    CASE(a_transfer_continues_a_preempted_guest),
    CASE(a_total_still_ends_the_guest),
    CASE(a_slice_beside_a_total_of_real_time_is_not_early),
    CASE(a_forked_child_has_no_slices),
    CASE(the_next_one_on_the_same_stack_has_its_own_count),
    CASE(a_cancel_runs_what_was_deferred_and_unwinds_nothing),
    CASE(a_guest_in_a_yield_is_unwound_as_ever),
    CASE(no_slice_ends_while_a_guest_is_unwound),
    CASE(a_total_ends_a_clean_up),
    CASE(a_parked_guest_is_preempted_once_it_runs_again),
    CASE(a_preempted_guests_backtrace_is_whole),
    {"each_instruction_of_the_way_can_be_walked",
     each_instruction_of_the_way_can_be_walked, NULL, NO_STEPS, 0, 0},
    {"slices_go_on_if_a_handler_leaves_the_way",
     slices_go_on_if_a_handler_leaves_the_way, NULL,
     UNDER_ASAN || UNDER_TSAN ? "the sanitizer would be left amid its switch"
     : MOAT_SWITCH_PORTABLE   ? "the C library would be left amid its switch"
                              : NULL,
     0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("preempt", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
