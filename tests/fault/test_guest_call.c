/*
 * test_guest_call.c: host code that runs for a guest, which answers for its
 * faults (moat_call_for_guest).
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"

#define MS UINT64_C(1000000)

#if UNDER_ASAN || UNDER_TSAN
#    define REPLACED "the sanitizer replaces the C library's functions"
#else
#    define REPLACED NULL
#endif
#if UNDER_ASAN || UNDER_TSAN
#    define SLOW "under a sanitizer the resume needs that stack itself"
#else
#    define SLOW NULL
#endif

static moat_co *create_with(moat_entry entry, const moat_co_options *options)
{
    moat_co *co = NULL;

    REQUIRE(moat_co_create(&co, entry, options) == MOAT_OK);
    return co;
}

static moat_co *create(moat_entry entry)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    return create_with(entry, &options);
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    return event;
}

static moat_trap_info trap_of(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    return info;
}

/* ---- The functions that the host runs ---- */

static uintptr_t ran_at;
static moat_co *ran_as;
static int undone;

static void *note(void *arg)
{
    char local;

    ran_at = (uintptr_t)&local;
    ran_as = moat_co_current();
    errno = EDOM;
    return (char *)arg + 1;
}

/* In assembly, so that no sanitizer reports the fault first. */
static __attribute__((noinline)) void *fault(void *arg)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)16) : "memory");
    return arg;
}

static void *deep_fault(void *arg)
{
    char *volatile below = __builtin_alloca(4096);

    below[0] = 1;
    return (char *)fault(arg) + below[0];
}

static void *divide(void *arg)
{
    __asm__ volatile("xorl %%ecx, %%ecx; idivl %%ecx"
                     :
                     :
                     : "eax", "ecx", "edx");
    return arg;
}

static void *jump_to_nowhere(void *arg)
{
    void *(*volatile nowhere)(void *) = (void *(*)(void *))0x123456789000;

    return (char *)nowhere(arg) + 1;
}

static void *abort_now(void *arg)
{
    (void)arg;
    abort();
}

static bool count_undo(void *arg)
{
    EXPECT(moat_co_current() == NULL);
    undone++;
    return arg != NULL;
}

/* ---- Guests ---- */

static void *(*volatile called)(void *);

static void *call(moat_co *self, void *input)
{
    return moat_call_for_guest(self, called, count_undo, input);
}

/* A guest that resumes another and returns its event's kind. */
static void *resume_inner(moat_co *self, void *input)
{
    moat_event event = resume(input, input);

    EXPECT(moat_co_current() == self);
    return (void *)(uintptr_t)event.kind;
}

static bool is_on(const moat_co *co)
{
    moat_stack_info stack;

    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    return ran_at >= stack.limit && ran_at < stack.base;
}

static void it_runs_as_the_host(const void *arg)
{
    moat_co *co = create(call);
    moat_event event;
    char here;

    (void)arg;
    called = note;
    event = resume(co, (void *)41);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ((uintptr_t)event.value, 42);
    EXPECT_EQ(errno, EDOM);
    EXPECT(ran_as == NULL && !is_on(co));
    EXPECT((uintptr_t)&here - ran_at < 65536);
    EXPECT_EQ(undone, 0);
    moat_co_destroy(co);
}

static void a_guests_guest_goes_on_to_the_host(const void *arg)
{
    moat_co *inner = create(call), *middle = create(resume_inner);

    (void)arg;
    called = note;
    /* The innermost gets itself as its input. */
    EXPECT_EQ(resume(middle, inner).kind, MOAT_EVENT_RETURN);
    EXPECT(ran_as == NULL && !is_on(inner) && !is_on(middle));
    moat_co_destroy(inner);
    moat_co_destroy(middle);
}

/* ---- Faults ---- */

static const struct {
    void *(*fn)(void *);
    moat_trap_kind kind;
} faults[] = {{fault, MOAT_TRAP_NULL},
              {deep_fault, MOAT_TRAP_NULL},
              {divide, MOAT_TRAP_ARITHMETIC},
              {jump_to_nowhere, MOAT_TRAP_EXEC},
              {abort_now, MOAT_TRAP_ABORT}};

static void *resume_and_look(moat_co *co)
{
    uint64_t before[64], after[64];
    moat_event event;

    memset(before, 0x5a, sizeof before);
    memcpy(after, before, sizeof after);
    __asm__ volatile("" : : "r"(before), "r"(after) : "memory");
    event = resume(co, co);
    __asm__ volatile("" : : "r"(before), "r"(after) : "memory");
    EXPECT(memcmp(before, after, sizeof before) == 0);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    return NULL;
}

static void a_fault_in_it_traps_the_guest(const void *arg)
{
    moat_co *co = create(call);

    (void)arg;
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            moat_trap_info info;

            called = faults[i].fn;
            undone = 0;
            (void)resume_and_look(co);
            EXPECT_EQ(undone, 1);
            EXPECT(moat_co_current() == NULL);
            info = trap_of(co);
            EXPECT_EQ(info.kind, faults[i].kind);
            EXPECT(info.in_host_call);
            EXPECT(info.stack_used < 65536);
            EXPECT(!moat_co_is_poisoned(co));
            EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        }
    }
    called = note;
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static void also_a_guests_guest(const void *arg)
{
    moat_co *inner = create(call), *outer = create(resume_inner);
    moat_event event;

    (void)arg;
    for (int round = 0; round < 100; round++) {
        called = fault;
        event = resume(outer, inner);
        EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ((uintptr_t)event.value, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_get_state(inner), MOAT_CO_TRAPPED);
        EXPECT(trap_of(inner).in_host_call);
        EXPECT_EQ(moat_co_reset(inner), MOAT_OK);
        EXPECT_EQ(moat_co_reset(outer), MOAT_OK);
        called = note;
        event = resume(outer, inner);
        EXPECT_EQ((uintptr_t)event.value, MOAT_EVENT_RETURN);
        EXPECT_EQ(moat_co_reset(inner), MOAT_OK);
        EXPECT_EQ(moat_co_reset(outer), MOAT_OK);
    }
    moat_co_destroy(inner);
    moat_co_destroy(outer);
}

static void call_fault(void *arg)
{
    (void)moat_call_for_guest(arg, fault, count_undo, arg);
}

static void *survive(moat_co *self, void *input)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    for (uintptr_t i = 0; i < 100; i++) {
        EXPECT_EQ(moat_notrap_call(call_fault, self, &info), MOAT_E_FAULT);
        EXPECT_EQ(info.kind, MOAT_TRAP_NULL);
        EXPECT(info.in_host_call);
        EXPECT(moat_co_current() == self);
        EXPECT(moat_call_for_guest(self, note, NULL, (void *)i) ==
               (void *)(i + 1));
        EXPECT(moat_co_yield(self, self) == input);
    }
    return input;
}

static void a_recovery_point_of_the_guest_gets_it(const void *arg)
{
    moat_co *co = create(survive);

    (void)arg;
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(undone, 100);
    moat_co_destroy(co);
}

/* ---- What stays fatal ---- */

static void *call_in_section(moat_co *self, void *input)
{
    moat_notrap_enter();
    return moat_call_for_guest(self, fault, NULL, input);
}

static void a_fault_for_a_guest_in_a_section_is_fatal(const void *arg)
{
    (void)arg;
    (void)resume(create(call_in_section), NULL);
}

static void a_fault_for_a_protected_guest_is_fatal(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    (void)arg;
    called = fault;
    options.flags |= MOAT_CO_RECOVER_NEVER;
    (void)resume(create_with(call, &options), NULL);
}

static bool fault_again(void *arg)
{
    return fault(arg) != NULL;
}

static void *call_undo_that_faults(moat_co *self, void *input)
{
    return moat_call_for_guest(self, fault, fault_again, input);
}

static void a_fault_in_undo_is_fatal(const void *arg)
{
    (void)arg;
    (void)resume(create(call_undo_that_faults), NULL);
}

static void *nested(void *arg)
{
    moat_co *other = arg;

    return resume(other, NULL).value;
}

static void *call_parent(moat_co *self, void *input)
{
    return moat_call_on_parent(self, fault, input);
}

static void an_ordinary_host_call_inside_is_fatal(const void *arg)
{
    (void)arg;
    called = nested;
    (void)resume(create(call), create(call_parent));
}

static void *fault_outside(moat_co *self, void *input)
{
    (void)moat_call_for_guest(self, note, NULL, input);
    return moat_call_on_parent(self, fault, input);
}

static void a_later_host_call_is_fatal(const void *arg)
{
    (void)arg;
    (void)resume(create(fault_outside), NULL);
}

static void on_usr1(int signo)
{
    (void)signo;
    (void)fault(NULL);
}

static void *raise_usr1(void *arg)
{
    (void)raise(SIGUSR1);
    return arg;
}

static void a_hosts_handler_inside_is_fatal(const void *arg)
{
    struct sigaction action = {.sa_handler = on_usr1};

    (void)arg;
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    called = raise_usr1;
    (void)resume(create(call), NULL);
}

static volatile bool sent;

static void *send_segv(void *arg)
{
    pthread_t *thread = arg;

    (void)pthread_kill(*thread, SIGSEGV);
    sent = true;
    return NULL;
}

static void *wait_for_signal(void *arg)
{
    pthread_t self = pthread_self(), other;

    (void)arg;
    REQUIRE(pthread_create(&other, NULL, send_segv, &self) == 0);
    while (!sent)
        continue;
    for (;;)
        (void)usleep(1000);
}

static void a_signal_sent_from_elsewhere_is_fatal(const void *arg)
{
    (void)arg;
    called = wait_for_signal;
    (void)resume(create(call), NULL);
}

/* ---- Other guests inside, and time limits ---- */

static void *fault_itself(moat_co *self, void *input)
{
    (void)self;
    return fault(input);
}

static void *resume_faulting(void *arg)
{
    moat_co *other = create(fault_itself);

    EXPECT_EQ(resume(other, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT(!trap_of(other).in_host_call);
    moat_co_destroy(other);
    return arg;
}

static void *resume_then_fault(void *arg)
{
    return fault(resume_faulting(arg));
}

static void a_guest_that_it_resumes_answers_for_itself(const void *arg)
{
    moat_co *co = create(call);

    (void)arg;
    called = resume_faulting;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    called = resume_then_fault;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT(trap_of(co).in_host_call);
    moat_co_destroy(co);
}

static bool finished;

static void *spend_50_ms(void *arg)
{
    struct timespec now, end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 50 * 1000000;
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - end.tv_sec) * 1000000000 + now.tv_nsec <
             end.tv_nsec);
    finished = true;
    return arg;
}

static void *spend_then_fault(void *arg)
{
    return fault(spend_50_ms(arg));
}

static void *call_for_ever(moat_co *self, void *input)
{
    while (moat_call_for_guest(self, called, NULL, input) == input)
        continue;
    return NULL;
}

static void a_deadline_waits_for_its_end(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co;

    (void)arg;
    limits.wall_ns = 20 * MS;
    options.limits = &limits;
    co = create_with(call_for_ever, &options);
    called = spend_50_ms;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT(finished);
    EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_DEADLINE);
    EXPECT(!trap_of(co).in_host_call);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    /* The fault came first. */
    called = spend_then_fault;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_NULL);
    EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    /* Limits are in force again. */
    called = spend_50_ms;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* ---- Locks, reports ---- */

static char *volatile bad = (char *)0x10;

static void *print_bad(void *arg)
{
    FILE *file = arg;

    (void)fprintf(file, "%d %s", 1, bad);
    return arg;
}

static void *call_print(moat_co *self, void *input)
{
    return moat_call_for_guest(self, print_bad, NULL, input);
}

static void a_lock_that_it_may_hold_is_named(const void *arg)
{
    moat_co *co = create(call_print);
    FILE *file = tmpfile();
    const char *lock = NULL;

    (void)arg;
    REQUIRE(file != NULL);
    EXPECT_EQ(resume(co, file).kind, MOAT_EVENT_TRAP);
    EXPECT(moat_co_is_poisoned(co));
    EXPECT_EQ(moat_co_lock_function(co, &lock), MOAT_OK);
    EXPECT_STR(lock, "fprintf");
    moat_co_destroy(co);
}

static __attribute__((noinline)) void *guest_frame(moat_co *self, void *input)
{
    void *result = moat_call_for_guest(self, called, NULL, input);

    __asm__ volatile("" : "+r"(result));
    return result;
}

static void *call_from_frame(moat_co *self, void *input)
{
    void *result = guest_frame(self, input);

    __asm__ volatile("" : "+r"(result));
    return result;
}

static bool is_in(uintptr_t pc, uintptr_t function)
{
    return pc - function < 512;
}

static void a_backtrace_leads_to_the_guest(const void *arg)
{
    moat_co *co = create(call_from_frame);
    moat_frame frames[64];
    size_t count, i;

    (void)arg;
    called = deep_fault;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_backtrace(co, frames, 64, &count), MOAT_OK);
    REQUIRE(count >= 6);
    EXPECT_EQ(frames[0].pc, trap_of(co).pc);
    EXPECT_EQ(frames[0].flags & MOAT_FRAME_TRAP, MOAT_FRAME_TRAP);
    EXPECT(frames[0].co == NULL);
    EXPECT(is_in(frames[0].pc, (uintptr_t)fault));
    EXPECT(is_in(frames[1].pc, (uintptr_t)deep_fault));
    for (i = 2; i < count && frames[i].co == NULL; i++)
        continue;
    while (i < count && !is_in(frames[i].pc, (uintptr_t)guest_frame))
        i++;
    REQUIRE(i + 1 < count);
    EXPECT(frames[i].co == co);
    EXPECT(is_in(frames[i + 1].pc, (uintptr_t)call_from_frame));
    for (; i < count && !(frames[i].flags & MOAT_FRAME_ROOT); i++)
        continue;
    REQUIRE(i < count);
    EXPECT_EQ(frames[i].flags & MOAT_FRAME_GUESSED, 0);
    moat_co_destroy(co);
}

static void a_report_says_where(const void *arg)
{
    moat_co *co = create(call_from_frame);
    char text[8192] = "";
    FILE *file = tmpfile();

    (void)arg;
    REQUIRE(file != NULL);
    called = deep_fault;
    EXPECT_EQ(resume(co, co).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_co_print_report(co, fileno(file)), MOAT_OK);
    rewind(file);
    (void)!fread(text, 1, sizeof text - 1, file);
    EXPECT(strstr(text, "a call of the host's for the guest") != NULL);
    (void)fclose(file);
    moat_co_destroy(co);
}

/* ---- Misuse, small stacks ---- */

static void *misuse(moat_co *self, void *input)
{
    ran_at = 0;
    EXPECT(moat_call_for_guest(NULL, note, NULL, self) == NULL);
    EXPECT(moat_call_for_guest(input, note, NULL, self) == NULL);
    EXPECT(moat_call_for_guest(self, NULL, NULL, self) == NULL);
    EXPECT_EQ(ran_at, 0);
    return NULL;
}

static void misuse_has_no_effect(const void *arg)
{
    moat_co *co = create(misuse), *other = create(misuse);

    (void)arg;
    EXPECT_EQ(resume(co, other).kind, MOAT_EVENT_RETURN);
    EXPECT(moat_call_for_guest(co, note, NULL, co) == NULL);
    EXPECT_EQ(ran_at, 0);
    moat_co_destroy(other);
    moat_co_destroy(co);
}

/* Volatile, so that the compiler does not make a loop of it. */
static __attribute__((noinline)) size_t call_ever_deeper(moat_co *self,
                                                         size_t depth)
{
    volatile size_t below;

    (void)moat_call_for_guest(self, note, NULL, NULL);
    below = depth == (size_t)-1 ? 0 : call_ever_deeper(self, depth + 1);
    return below + 1;
}

static void *overflow_by_calls(moat_co *self, void *input)
{
    char *used = __builtin_alloca(*(size_t *)input);

    __asm__ volatile("" : : "r"(used) : "memory");
    return call_ever_deeper(self, 0) != 0 ? input : NULL;
}

static void an_overflow_on_the_way_there_is_the_guests(const void *arg)
{
    moat_co *co = create(overflow_by_calls);

    (void)arg;
    for (size_t phase = 16; phase <= 1024; phase += 16) {
        EXPECT_EQ(resume(co, &phase).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(trap_of(co).kind, MOAT_TRAP_STACK_OVERFLOW);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

/* Enough for a resume, and not for a host call. */
#define EDGE (SWITCH_SETS_MASK ? 3200 : MOAT_SWITCH_PORTABLE ? 2500 : 1800)

static void *resume_from_the_edge(moat_co *self, void *input)
{
    moat_stack_info stack;
    char *used;

    (void)self;
    EXPECT_EQ(moat_stack_bounds(&stack), MOAT_OK);
    used = __builtin_alloca((uintptr_t)__builtin_frame_address(0) -
                            stack.limit - EDGE);
    __asm__ volatile("" : : "r"(used) : "memory");
    {
        moat_event event;

        EXPECT_EQ(moat_co_resume(input, NULL, &event), MOAT_OK);
        return (void *)(uintptr_t)event.kind;
    }
}

static void a_resumer_without_stack_is_the_guests_end(const void *arg)
{
    moat_co *inner = create(call), *outer = create(resume_from_the_edge);
    moat_event event;

    (void)arg;
    called = note;
    event = resume(outer, inner);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ((uintptr_t)event.value, MOAT_EVENT_TRAP);
    EXPECT_EQ(trap_of(inner).kind, MOAT_TRAP_STACK_OVERFLOW);
    moat_co_destroy(inner);
    moat_co_destroy(outer);
}

static void *on_thread(void *arg)
{
    EXPECT_EQ(moat_thread_attach(), MOAT_OK);
    a_fault_in_it_traps_the_guest(arg);
    also_a_guests_guest(arg);
    EXPECT_EQ(moat_thread_detach(), MOAT_OK);
    return arg;
}

static void also_on_another_thread(const void *arg)
{
    pthread_t thread;

    (void)arg;
    REQUIRE(pthread_create(&thread, NULL, on_thread, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

#define FATAL(function, signal)                    \
    {                                              \
#        function, function, NULL, NULL, signal, 0 \
    }

static const struct child_case cases[] = {
    CHILD_CASE(it_runs_as_the_host),
    CHILD_CASE(a_guests_guest_goes_on_to_the_host),
    CHILD_CASE(a_fault_in_it_traps_the_guest),
    CHILD_CASE(also_a_guests_guest),
    CHILD_CASE(also_on_another_thread),
    CHILD_CASE(a_recovery_point_of_the_guest_gets_it),
    FATAL(a_fault_for_a_guest_in_a_section_is_fatal, SIGSEGV),
    FATAL(a_fault_for_a_protected_guest_is_fatal, SIGSEGV),
    FATAL(a_fault_in_undo_is_fatal, SIGSEGV),
    FATAL(an_ordinary_host_call_inside_is_fatal, SIGSEGV),
    FATAL(a_later_host_call_is_fatal, SIGSEGV),
    FATAL(a_hosts_handler_inside_is_fatal, SIGSEGV),
    {"a_signal_sent_from_elsewhere_is_fatal",
     a_signal_sent_from_elsewhere_is_fatal, NULL, TO_THREAD, SIGSEGV, 0},
    CHILD_CASE(a_guest_that_it_resumes_answers_for_itself),
    CHILD_CASE(a_deadline_waits_for_its_end),
    {"a_lock_that_it_may_hold_is_named", a_lock_that_it_may_hold_is_named, NULL,
     REPLACED, 0, 0},
    CHILD_CASE(a_backtrace_leads_to_the_guest),
    CHILD_CASE(a_report_says_where),
    CHILD_CASE(misuse_has_no_effect),
    CHILD_CASE(an_overflow_on_the_way_there_is_the_guests),
    {"a_resumer_without_stack_is_the_guests_end",
     a_resumer_without_stack_is_the_guests_end, NULL, SLOW, 0, 0},
};

int main(int argc, char **argv)
{
    return child_cases_run("guest_call", cases, sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
