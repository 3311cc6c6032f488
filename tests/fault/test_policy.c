/*
 * test_policy.c: where a coroutine may be stopped: each cell of the table in
 * docs/threat-model.md, deadlines under each policy, and calls with a recovery
 * point.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/cpu_state.h"
#include "../support/fixture.h"
#include "guests.h"
#include "jit.h"

#define ANYWHERE MOAT_CO_RECOVER_ANYWHERE
#define CODE     MOAT_CO_RECOVER_CODE
#define NEVER    MOAT_CO_RECOVER_NEVER

static moat_co *create(moat_entry entry, uint64_t policy, uint64_t wall_ns)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co *co = NULL;

    limits.wall_ns = wall_ns;
    options.flags = policy;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_trap_info record_of(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    REQUIRE(moat_co_trap_info(co, &info) == MOAT_OK);
    return info;
}

static void *volatile kept;

static void allocate_in_top(void)
{
    kept = malloc(5000);
    REQUIRE(kept != NULL);
}

/* ---- Locations of a fault ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The rest of the heap's last part. It is protected, so that the next
 * allocation from it faults in the middle of malloc. */
static struct {
    char *begin;
    size_t bytes;
} top;

static void *idle_thread(void *arg)
{
    for (;;)
        (void)pause();
    return arg;
}

static void close_heap(void)
{
    pthread_t thread;
    char *last = NULL;
    uintptr_t end = 0;

    /* With a single thread, glibc's malloc takes no lock. */
    REQUIRE(pthread_create(&thread, NULL, idle_thread, NULL) == 0);
    for (int i = 0; i < 8 && end < (uintptr_t)last + 65536; i++) {
        last = malloc(30000);
        end = (uintptr_t)sbrk(0);
    }
    REQUIRE(end >= (uintptr_t)last + 65536);
    top.begin = (char *)(((uintptr_t)last + 30016 + 4095) & ~(uintptr_t)4095);
    top.bytes = end - (uintptr_t)top.begin;
    REQUIRE(mprotect(top.begin, top.bytes, PROT_NONE) == 0);
}

static void in_malloc(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++)
        allocate_in_top();
}

static void in_stdio(void *arg)
{
    static const char *volatile nowhere;

    (void)fprintf(stdout, "%d%s", 1, nowhere + 16);
    (void)arg;
}

static void in_a_mutex(void *arg)
{
    (void)pthread_mutex_lock(&mutex);
    write_null();
    (void)pthread_mutex_unlock(&mutex);
    (void)arg;
}

static void in_plain_code(void *arg)
{
    (void)arg;
    write_null();
}

static jit_function code;

static void in_code(void *arg)
{
    (void)code(arg);
}

static void in_code_below_a_mutex(void *arg)
{
    (void)pthread_mutex_lock(&mutex);
    (void)code(arg);
    (void)pthread_mutex_unlock(&mutex);
}

static void abort_it(void *arg)
{
    (void)arg;
    abort();
}

static void raise_it(void *arg)
{
    (void)arg;
    moat_trap_raise(7);
}

static unsigned deep(unsigned depth)
{
    volatile char page[2048];

    page[0] = (char)depth;
    return depth == UINT32_MAX ? 0 : deep(depth + 1) + (unsigned)page[0];
}

static void overflow(void *arg)
{
    (void)arg;
    (void)deep(0);
}

/* The remaining stack is too small for a destroy. */
static void overflow_in_destroy(void *arg)
{
    volatile char part[512];

    part[0] = 0;
    if (moat_stack_reserve(8000) == MOAT_OK)
        overflow_in_destroy(arg);
    moat_co_destroy(arg);
    part[1] = part[0];
}

/* ---- The state left to the host ---- */

static void host_mutex_is_held(void)
{
    EXPECT(pthread_mutex_trylock(&mutex) != 0);
}

static void host_mutex_is_free(void)
{
    EXPECT(pthread_mutex_trylock(&mutex) == 0);
}

/* Waits for ever, so SIGALRM ends the child. */
static void host_malloc_waits(void)
{
    REQUIRE(mprotect(top.begin, top.bytes, PROT_READ | PROT_WRITE) == 0);
    (void)alarm(1);
    allocate_in_top();
}

static void *print(void *arg)
{
    (void)fprintf(stdout, "x");
    return arg;
}

/* The dead guest's thread owns the lock; another thread has to wait. */
static void host_stdio_waits(void)
{
    pthread_t thread;

    (void)alarm(1);
    REQUIRE(pthread_create(&thread, NULL, print, NULL) == 0);
    (void)pthread_join(thread, NULL);
}

/* ---- The table ---- */

/* A location, a policy, and the state that the host finds after the fault. */
struct cell {
    void (*where)(void *arg);
    void (*calls)(void *arg); /* called by the code, if not NULL */
    void (*after)(void);
    uint64_t policy;
    moat_trap_kind kind;
    bool is_code; /* the record's pc is in the code */
    void (*prepare)(void);
    uintptr_t callee; /* called by the code, where no function is */
};

static struct jit jit;

static void make_code(const struct cell *cell)
{
    jit_begin(&jit);
    if (cell->calls != NULL)
        jit_call(&jit, (uintptr_t)cell->calls);
    else if (cell->callee != 0)
        jit_call(&jit, cell->callee);
    else
        jit_write_null(&jit);
    jit_return(&jit);
    code = jit_end(&jit);
    jit_register(&jit, "compiled");
}

static void *commit(moat_co *self, void *input)
{
    const struct cell *cell = moat_co_user(self);

    cell->where(input);
    return input;
}

static void play(const void *arg)
{
    const struct cell *cell = arg;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *other = guest_create(guest_echo);
    moat_trap_info info;
    moat_event event = {.kind = MOAT_EVENT_RETURN};
    moat_co *co = NULL;

    make_code(cell);
    options.flags = cell->policy;
    options.user = (void *)(uintptr_t)cell;
    REQUIRE(moat_co_create(&co, commit, &options) == MOAT_OK);
    if (cell->prepare != NULL)
        cell->prepare();
    REQUIRE(moat_co_resume(co, other, &event) == MOAT_OK);
    /* A fatal fault has killed the child by now. */
    REQUIRE(event.kind == MOAT_EVENT_TRAP);
    info = record_of(co);
    EXPECT_STR(moat_trap_kind_name(info.kind), moat_trap_kind_name(cell->kind));
    EXPECT_EQ(info.pc - (uintptr_t)jit.code < jit.used, cell->is_code);
    if (cell->after != NULL)
        cell->after();
}

#define CELL(...) (&(const struct cell){__VA_ARGS__})

#define NEEDS_GLIBC_MALLOC \
    (UNDER_SANITIZER ? "the sanitizer has its own allocator" : NULL)
#define NEEDS_GLIBC_STDIO \
    (UNDER_SANITIZER ? "the sanitizer reads the string first" : NULL)

/* ---- Deadlines ---- */

static atomic_int helped;

/* A C helper of the host that runs for a long time. */
static void help_until_late(void *arg)
{
    while (!moat_poll())
        ;
    spin_until(clock_ns(CLOCK_MONOTONIC) + 5 * MS);
    atomic_fetch_add(&helped, 1);
    (void)arg;
}

/* Calls of the engine, and the end of a section, find the deadline passed. */
static void help_with_the_engine(void *arg)
{
    moat_co *co = NULL;

    help_until_late(arg);
    REQUIRE(moat_co_create(&co, guest_echo, NULL) == MOAT_OK);
    moat_notrap_enter();
    moat_notrap_leave();
    moat_co_destroy(co);
    atomic_fetch_add(&helped, 1);
}

static void *run_code(moat_co *self, void *input)
{
    (void)self;
    return code(input);
}

static void expect_cut_in_code(moat_co *co)
{
    moat_trap_info info;

    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_TRAP);
    info = record_of(co);
    EXPECT_STR(moat_trap_kind_name(info.kind), "MOAT_TRAP_DEADLINE");
    EXPECT(info.pc - (uintptr_t)jit.code < jit.used);
    moat_co_destroy(co);
}

static void a_deadline_waits_for_code(const void *arg)
{
    (void)arg;
    jit_begin(&jit);
    jit_call(&jit, (uintptr_t)help_with_the_engine);
    jit_loop(&jit);
    code = jit_end(&jit);
    jit_register(&jit, "loop");
    expect_cut_in_code(create(run_code, CODE, 20 * MS));
    EXPECT_EQ(helped, 2);
}

/* The section belongs to the code and ends there. */
static void a_deadline_comes_when_code_leaves_a_section(const void *arg)
{
    moat_co *co = create(run_code, CODE, 20 * MS);

    (void)arg;
    jit_begin(&jit);
    jit_call(&jit, (uintptr_t)moat_notrap_enter);
    jit_call(&jit, (uintptr_t)help_until_late);
    jit_call(&jit, (uintptr_t)moat_notrap_leave);
    jit_call(&jit, (uintptr_t)abort);
    code = jit_end(&jit);
    jit_register(&jit, "section");
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(helped, 1);
}

static void *help_and_return(moat_co *self, void *input)
{
    (void)self;
    help_with_the_engine(NULL);
    return input;
}

static void under_never_only_poll_reports_a_deadline(const void *arg)
{
    moat_co *co = create(help_and_return, NEVER, 20 * MS);
    moat_event event = guest_resume(co, &event);

    (void)arg;
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(helped, 2);
}

static void under_anywhere_a_deadline_stops_a_helper(const void *arg)
{
    moat_co *co = create(guest_loop, ANYWHERE, 2 * MS);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_DEADLINE);
}

/* ---- Options ---- */

static void *fault_as_asked(moat_co *self, void *input)
{
    (void)self;
    return code(input);
}

static void a_reset_keeps_the_policy(const void *arg)
{
    const struct cell cell = {.policy = CODE};
    moat_co *co;

    (void)arg;
    make_code(&cell);
    co = create(fault_as_asked, CODE, 0);
    for (int i = 0; i < 3; i++) {
        guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    moat_co_destroy(co);
    /* The next owner of the slot has its own policy. */
    co = create(guest_write_null, ANYWHERE, 0);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(co);
}

static void code_that_is_unregistered_is_code_no_more(const void *arg)
{
    const struct cell cell = {.policy = CODE};
    moat_co *co;

    (void)arg;
    make_code(&cell);
    co = create(fault_as_asked, CODE, 0);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    REQUIRE(moat_code_unregister(jit.id) == MOAT_OK);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    (void)guest_resume(co, NULL);
}

static void contradicting_flags_are_refused(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    (void)arg;
    options.flags = CODE | NEVER;
    EXPECT_EQ(moat_co_create(&co, guest_echo, &options), MOAT_E_INVAL);
    options.flags = MOAT_CO_EXACT_USAGE << 1;
    EXPECT_EQ(moat_co_create(&co, guest_echo, &options), MOAT_E_INVAL);
    options.flags = CODE | MOAT_CO_SCRUB_ZERO;
    EXPECT_EQ(moat_co_create(&co, guest_echo, &options), MOAT_OK);
}

/* ---- Calls with a recovery point ---- */

static moat_trap_info told;

static moat_status attempt(void (*fn)(void *), void *arg)
{
    const moat_trap_info nothing = MOAT_TRAP_INFO_INIT;

    told = nothing;
    return moat_notrap_call(fn, arg, &told);
}

/* Runs a guest to its end; the guest checks its expectations itself. */
static void run_well(moat_entry guest, uint64_t policy)
{
    moat_co *co = create(guest, policy, 0);
    moat_event event = guest_resume(co, &event);

    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event.value, &event);
    moat_co_destroy(co);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void *recover_from_each(moat_co *self, void *input)
{
    int calls = 0;

    EXPECT_EQ(attempt(count, &calls), MOAT_OK);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(told.kind, MOAT_TRAP_NONE);

    EXPECT_EQ(attempt(in_plain_code, NULL), MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(told.signo, SIGSEGV);
    EXPECT_EQ(told.access, MOAT_ACCESS_WRITE);
    REQUIRE(told.regs != NULL);
    EXPECT_EQ(told.regs->pc, told.pc);
    EXPECT(told.byte_count > 0);

    EXPECT_EQ(attempt(overflow, NULL), MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_STACK_OVERFLOW);
    EXPECT_EQ(attempt(abort_it, NULL), MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_ABORT);
    EXPECT_EQ(attempt(raise_it, NULL), MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_RAISED);
    EXPECT_EQ(told.user_code, 7);
    EXPECT_EQ(attempt(overflow_in_destroy, guest_create(guest_echo)),
              MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_STACK_OVERFLOW);

    EXPECT_EQ(moat_notrap_call(in_plain_code, NULL, NULL), MOAT_E_FAULT);
    EXPECT_EQ(attempt(NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    return input;
}

static void a_recovery_point_works_under_every_policy(const void *arg)
{
    (void)arg;
    run_well(recover_from_each, ANYWHERE);
    run_well(recover_from_each, CODE);
    run_well(recover_from_each, NEVER);
}

static void recover_inside(void *arg)
{
    EXPECT_EQ(attempt(in_plain_code, NULL), MOAT_E_FAULT);
    ++*(int *)arg;
    write_null();
    ++*(int *)arg;
}

static void *recover_twice(moat_co *self, void *input)
{
    int reached = 0;

    (void)self;
    EXPECT_EQ(attempt(recover_inside, &reached), MOAT_E_FAULT);
    EXPECT_EQ(reached, 1);
    return input;
}

static void recovery_points_nest(const void *arg)
{
    (void)arg;
    run_well(recover_twice, ANYWHERE);
}

static void fault_in_a_section(void *arg)
{
    (void)arg;
    moat_notrap_enter();
    write_null();
}

static void *open_inside(moat_co *self, void *input)
{
    (void)self;
    (void)attempt(fault_in_a_section, NULL);
    return input;
}

static void a_section_inside_has_no_recovery_point(const void *arg)
{
    (void)arg;
    run_well(open_inside, ANYWHERE);
}

static void leave_once_too_often(void *arg)
{
    moat_notrap_leave();
    moat_notrap_enter();
    moat_notrap_leave();
    moat_notrap_leave();
    in_plain_code(arg);
}

/* fn cannot close the call's own section, nor its caller's. */
static void *recover_behind_a_leave(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(attempt(leave_once_too_often, NULL), MOAT_E_FAULT);
    EXPECT_EQ(told.kind, MOAT_TRAP_NULL);
    moat_notrap_enter();
    EXPECT_EQ(attempt(leave_once_too_often, NULL), MOAT_E_FAULT);
    moat_notrap_leave();
    return input;
}

static void a_leave_without_an_enter_closes_no_call(const void *arg)
{
    (void)arg;
    run_well(recover_behind_a_leave, ANYWHERE);
    run_well(recover_behind_a_leave, NEVER);
}

static void leave_a_section_open(void *arg)
{
    (void)arg;
    moat_notrap_enter();
}

static void *fault_behind_it(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(attempt(leave_a_section_open, NULL), MOAT_OK);
    EXPECT_EQ(attempt(in_plain_code, NULL), MOAT_E_FAULT);
    write_null();
    return input;
}

static void after_the_call_a_fault_is_a_trap(const void *arg)
{
    moat_co *co = create(fault_behind_it, ANYWHERE, 0);

    (void)arg;
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    REQUIRE(moat_co_reset(co) == MOAT_OK);
    guest_expect_trap(co, NULL, MOAT_TRAP_NULL);
    moat_co_destroy(co);
}

static void the_host_has_no_recovery_point(const void *arg)
{
    int calls = 0;

    (void)arg;
    EXPECT_EQ(moat_notrap_call(count, &calls, NULL), MOAT_E_STATE);
    EXPECT_EQ(calls, 0);
}

static void *ask_with_little_stack(moat_co *self, void *input)
{
    int calls = 0;

    (void)self;
    EXPECT_EQ(moat_notrap_call(count, &calls, NULL), MOAT_E_LIMIT);
    EXPECT_EQ(calls, 0);
    return input;
}

static void it_needs_stack(const void *arg)
{
    moat_co *co = guest_create_on(ask_with_little_stack, 4096);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
}

/* ---- ... left and entered again ---- */

static void yield_and_fault(void *self)
{
    (void)moat_co_yield(self, NULL);
    write_null();
}

static void *yield_inside(moat_co *self, void *input)
{
    EXPECT_EQ(attempt(yield_and_fault, self), MOAT_E_FAULT);
    return input;
}

static void calls_of_several_guests_do_not_mix(const void *arg)
{
    moat_co *one = create(yield_inside, ANYWHERE, 0);
    moat_co *two = create(yield_inside, ANYWHERE, 0);
    moat_co *plain = create(guest_write_null, ANYWHERE, 0);

    (void)arg;
    EXPECT_EQ(guest_resume(one, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(two, NULL).kind, MOAT_EVENT_YIELD);
    guest_expect_trap(plain, NULL, MOAT_TRAP_NULL);
    EXPECT_EQ(guest_resume(one, NULL).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(guest_resume(two, NULL).kind, MOAT_EVENT_RETURN);
}

static void a_fault_of_the_host_meanwhile_is_fatal(const void *arg)
{
    moat_co *co = create(yield_inside, ANYWHERE, 0);

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    write_null();
}

static void *host_service(void *arg)
{
    write_null();
    return arg;
}

static void *call_the_parent(moat_co *self, void *input)
{
    (void)moat_call_on_parent(self, host_service, input);
    return input;
}

static void resume_inside(void *arg)
{
    (void)guest_resume(arg, NULL);
}

static void *parent_in_a_call(moat_co *self, void *input)
{
    (void)self;
    (void)attempt(resume_inside, create(call_the_parent, ANYWHERE, 0));
    return input;
}

static void a_service_on_the_parents_stack_has_none(const void *arg)
{
    (void)arg;
    run_well(parent_in_a_call, ANYWHERE);
}

static void trap_another(void *arg)
{
    guest_expect_trap(arg, NULL, MOAT_TRAP_NULL);
}

static void *resume_in_a_call(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(attempt(trap_another, create(guest_write_null, ANYWHERE, 0)),
              MOAT_OK);
    return input;
}

static void a_guest_resumed_inside_traps_by_itself(const void *arg)
{
    (void)arg;
    run_well(resume_in_a_call, ANYWHERE);
}

static void a_reset_forgets_the_call(const void *arg)
{
    moat_co *co = create(yield_inside, ANYWHERE, 0);

    (void)arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        REQUIRE(moat_co_reset(co) == MOAT_OK);
    }
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_RETURN);
}

static void fault_in_cleanup(const int *unused)
{
    (void)unused;
    write_null();
}

/* Compiled with -fexceptions: the unwinding runs the cleanup. */
static void *yield_below_a_cleanup(moat_co *self, void *input)
{
    __attribute__((cleanup(fault_in_cleanup))) int unused = 0;

    (void)unused;
    EXPECT_EQ(attempt(yield_and_fault, self), MOAT_E_FAULT);
    return input;
}

static void an_unwinding_closes_the_call(const void *arg)
{
    moat_co *co = create(yield_below_a_cleanup, ANYWHERE, 0);
    moat_event event = {.kind = MOAT_EVENT_YIELD};

    (void)arg;
    EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(moat_co_cancel(co, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
}

static void raise_in_destroy(void *arg)
{
    (void)arg;
    write_null();
}

static void destroy_another(void *arg)
{
    REQUIRE(moat_co_defer(arg, raise_in_destroy, NULL) == MOAT_OK);
    moat_co_destroy(arg);
}

/* The fault comes in the middle of another coroutine's end, which then
 * continues. */
static void *destroy_in_a_call(moat_co *self, void *input)
{
    moat_co *co = guest_create(guest_echo);

    (void)self;
    EXPECT_EQ(attempt(destroy_another, co), MOAT_E_FAULT);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_DONE);
    moat_co_destroy(co);
    EXPECT_EQ(moat_co_get_state(co), MOAT_CO_INVALID);
    return input;
}

static void a_fault_in_the_end_of_another_coroutine(const void *arg)
{
    (void)arg;
    run_well(destroy_in_a_call, ANYWHERE);
}

static void spoil_the_cpu(void *arg)
{
    const uint32_t mxcsr = 0x9fc0;
    const uint16_t fcw = 0x067f;

    __asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\tstd\n\tmovl $1, (%2)"
                     :
                     : "m"(mxcsr), "m"(fcw), "r"(arg)
                     : "memory");
}

static void call_spoiler(void *arg)
{
    EXPECT_EQ(attempt(spoil_the_cpu, NULL), MOAT_E_FAULT);
    (void)arg;
}

static void *watch(moat_co *self, void *input)
{
    struct cpu_state before, after;

    (void)self;
    cpu_watch(call_spoiler, NULL, &before, &after);
    cpu_expect_kept(&before, &after);
    return input;
}

static void the_cpus_state_comes_back(const void *arg)
{
    (void)arg;
    run_well(watch, ANYWHERE);
}

static void *late_then_return(moat_co *self, void *input)
{
    (void)self;
    (void)attempt(help_until_late, NULL);
    helped = -1;
    return input;
}

static void fault_late(void *arg)
{
    help_until_late(arg);
    write_null();
}

static void *late_then_fault(moat_co *self, void *input)
{
    (void)self;
    (void)attempt(fault_late, NULL);
    helped = -1;
    return input;
}

static void a_deadline_waits_for_the_calls_end(const void *arg)
{
    (void)arg;
    guest_expect_trap(create(late_then_return, ANYWHERE, 20 * MS), NULL,
                      MOAT_TRAP_DEADLINE);
    EXPECT_EQ(helped, 1);
    guest_expect_trap(create(late_then_fault, ANYWHERE, 20 * MS), NULL,
                      MOAT_TRAP_DEADLINE);
    EXPECT_EQ(helped, 2);
}

/* ---- The cases ---- */

#define CELL(...) (&(const struct cell){__VA_ARGS__})

#define IF_GLIBC \
    (UNDER_ASAN || UNDER_TSAN ? "the sanitizer is in malloc and stdio" : NULL)

#define IN_MALLOC .where = in_malloc, .prepare = close_heap
#define NULL_KIND .kind = MOAT_TRAP_NULL

static const struct child_case cases[] = {
    /* clang-format off */
    /* malloc */
    {"malloc, anywhere: contained, but the next malloc waits", play,
     CELL(IN_MALLOC, .policy = ANYWHERE, .kind = MOAT_TRAP_MEMORY,
          .after = host_malloc_waits), IF_GLIBC, SIGALRM, 0},
    {"malloc, code: fatal", play,
     CELL(IN_MALLOC, .policy = CODE), IF_GLIBC, SIGSEGV, 0},
    {"malloc, called by code, code: fatal", play,
     CELL(in_code, .calls = in_malloc, .prepare = close_heap, .policy = CODE),
     IF_GLIBC, SIGSEGV, 0},
    {"malloc, never: fatal", play,
     CELL(IN_MALLOC, .policy = NEVER), IF_GLIBC, SIGSEGV, 0},
    /* stdio */
    {"stdio, anywhere: contained, but other threads wait", play,
     CELL(in_stdio, .policy = ANYWHERE, NULL_KIND, .after = host_stdio_waits),
     IF_GLIBC, SIGALRM, 0},
    {"stdio, code: fatal", play,
     CELL(in_stdio, .policy = CODE), IF_GLIBC, SIGSEGV, 0},
    {"stdio, called by code, code: fatal", play,
     CELL(in_code, .calls = in_stdio, .policy = CODE), IF_GLIBC, SIGSEGV, 0},
    {"stdio, never: fatal", play,
     CELL(in_stdio, .policy = NEVER), IF_GLIBC, SIGSEGV, 0},
    /* a function that holds a mutex */
    {"mutex holder, anywhere: contained, the mutex stays locked", play,
     CELL(in_a_mutex, .policy = ANYWHERE, NULL_KIND,
          .after = host_mutex_is_held), NULL, 0, 0},
    {"mutex holder, code: fatal", play,
     CELL(in_a_mutex, .policy = CODE), NULL, SIGSEGV, 0},
    {"mutex holder, called by code, code: fatal", play,
     CELL(in_code, .calls = in_a_mutex, .policy = CODE), NULL, SIGSEGV, 0},
    {"mutex holder, never: fatal", play,
     CELL(in_a_mutex, .policy = NEVER), NULL, SIGSEGV, 0},
    /* registered code */
    {"registered code, anywhere: contained", play,
     CELL(in_code, .policy = ANYWHERE, NULL_KIND, .is_code = true,
          .after = host_mutex_is_free), NULL, 0, 0},
    {"registered code, code: contained", play,
     CELL(in_code, .policy = CODE, NULL_KIND, .is_code = true,
          .after = host_mutex_is_free), NULL, 0, 0},
    {"registered code, never: fatal", play,
     CELL(in_code, .policy = NEVER), NULL, SIGSEGV, 0},
    /* registered code that a mutex holder has called */
    {"code called by a mutex holder, anywhere: contained, locked", play,
     CELL(in_code_below_a_mutex, .policy = ANYWHERE, NULL_KIND,
          .is_code = true, .after = host_mutex_is_held), NULL, 0, 0},
    {"code called by a mutex holder, code: contained, locked", play,
     CELL(in_code_below_a_mutex, .policy = CODE, NULL_KIND, .is_code = true,
          .after = host_mutex_is_held), NULL, 0, 0},
    {"code called by a mutex holder, never: fatal", play,
     CELL(in_code_below_a_mutex, .policy = NEVER), NULL, SIGSEGV, 0},
    /* plain code of the guest */
    {"plain code, anywhere: contained", play,
     CELL(in_plain_code, .policy = ANYWHERE, NULL_KIND), NULL, 0, 0},
    {"plain code, code: fatal", play,
     CELL(in_plain_code, .policy = CODE), NULL, SIGSEGV, 0},
    {"plain code, never: fatal", play,
     CELL(in_plain_code, .policy = NEVER), NULL, SIGSEGV, 0},
    /* a call from code to an address without code */
    {"call to nowhere, code: contained", play,
     CELL(in_code, .callee = 8, .policy = CODE, NULL_KIND), NULL, 0, 0},
    {"call to no address, code: contained", play,
     CELL(in_code, .callee = UINT64_C(0x8000000000000000), .policy = CODE,
          .kind = MOAT_TRAP_EXEC, .is_code = true), NULL, 0, 0},
    {"call to nowhere, never: fatal", play,
     CELL(in_code, .callee = 8, .policy = NEVER), NULL, SIGSEGV, 0},
    /* an overflow in a helper */
    {"overflow in a helper, anywhere: contained", play,
     CELL(in_code, .calls = overflow, .policy = ANYWHERE,
          .kind = MOAT_TRAP_STACK_OVERFLOW), NULL, 0, 0},
    {"overflow in a helper, code: fatal", play,
     CELL(in_code, .calls = overflow, .policy = CODE), NULL, SIGSEGV, 0},
    {"overflow in a helper, never: fatal", play,
     CELL(in_code, .calls = overflow, .policy = NEVER), NULL, SIGSEGV, 0},
    {"moat_co_destroy without stack, anywhere: contained", play,
     CELL(overflow_in_destroy, .policy = ANYWHERE,
          .kind = MOAT_TRAP_STACK_OVERFLOW), NULL, 0, 0},
    {"moat_co_destroy without stack, code: aborts", play,
     CELL(overflow_in_destroy, .policy = CODE), NULL, SIGABRT, 0},
    {"moat_co_destroy without stack, never: aborts", play,
     CELL(overflow_in_destroy, .policy = NEVER), NULL, SIGABRT, 0},
    /* abort */
    {"abort, anywhere: contained", play,
     CELL(abort_it, .policy = ANYWHERE, .kind = MOAT_TRAP_ABORT), NULL, 0, 0},
    {"abort called by code, code: fatal", play,
     CELL(in_code, .calls = abort_it, .policy = CODE), NULL, SIGABRT, 0},
    {"abort, never: fatal", play,
     CELL(abort_it, .policy = NEVER), NULL, SIGABRT, 0},
    /* moat_trap_raise */
    {"moat_trap_raise, anywhere: contained", play,
     CELL(raise_it, .policy = ANYWHERE, .kind = MOAT_TRAP_RAISED), NULL, 0, 0},
    {"moat_trap_raise, code: contained", play,
     CELL(raise_it, .policy = CODE, .kind = MOAT_TRAP_RAISED), NULL, 0, 0},
    {"moat_trap_raise, never: contained", play,
     CELL(raise_it, .policy = NEVER, .kind = MOAT_TRAP_RAISED), NULL, 0, 0},
    /* clang-format on */

    CHILD_CASE(a_deadline_waits_for_code),
    CHILD_CASE(a_deadline_comes_when_code_leaves_a_section),
    CHILD_CASE(under_never_only_poll_reports_a_deadline),
    CHILD_CASE(under_anywhere_a_deadline_stops_a_helper),

    CHILD_CASE(a_reset_keeps_the_policy),
    {"code_that_is_unregistered_is_code_no_more",
     code_that_is_unregistered_is_code_no_more, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(contradicting_flags_are_refused),

    CHILD_CASE(a_recovery_point_works_under_every_policy),
    CHILD_CASE(recovery_points_nest),
    {"a_section_inside_has_no_recovery_point",
     a_section_inside_has_no_recovery_point, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(a_leave_without_an_enter_closes_no_call),
    CHILD_CASE(after_the_call_a_fault_is_a_trap),
    CHILD_CASE(the_host_has_no_recovery_point),
    CHILD_CASE(it_needs_stack),
    CHILD_CASE(calls_of_several_guests_do_not_mix),
    {"a_fault_of_the_host_meanwhile_is_fatal",
     a_fault_of_the_host_meanwhile_is_fatal, NULL, NULL, SIGSEGV, 0},
    {"a_service_on_the_parents_stack_has_none",
     a_service_on_the_parents_stack_has_none, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(a_guest_resumed_inside_traps_by_itself),
    CHILD_CASE(a_reset_forgets_the_call),
    CHILD_CASE(an_unwinding_closes_the_call),
    CHILD_CASE(a_fault_in_the_end_of_another_coroutine),
    CHILD_CASE(the_cpus_state_comes_back),
    CHILD_CASE(a_deadline_waits_for_the_calls_end),
};

int main(int argc, char **argv)
{
    return child_cases_run("recovery policies and recovery points", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
