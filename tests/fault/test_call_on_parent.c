/*
 * test_call_on_parent.c: host calls, which run on the resumer's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <moat/moat.h>

#include "../support/fixture.h"

#define MS UINT64_C(1000000)

static moat_co *create(moat_entry entry, const moat_limits *limits,
                       const char *name)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    options.limits = limits;
    options.name = name;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static moat_event resume(moat_co *co, void *input)
{
    moat_event event = {.kind = MOAT_EVENT_PANIC};

    EXPECT_EQ(moat_co_resume(co, input, &event), MOAT_OK);
    return event;
}

/* ---- Where a host call runs ---- */

static uintptr_t service_sp;
static moat_co *service_current;

static void *note_where(void *arg)
{
    char local;

    service_sp = (uintptr_t)&local;
    service_current = moat_co_current();
    errno = EDOM;
    return (char *)arg + 1;
}

static void *call_once(moat_co *self, void *input)
{
    void *result = moat_call_on_parent(self, note_where, input);

    EXPECT(moat_co_current() == self);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RUNNING);
    return result;
}

static bool is_on(const moat_co *co)
{
    moat_stack_info stack;

    EXPECT_EQ(moat_co_stack_info(co, &stack), MOAT_OK);
    return service_sp >= stack.limit && service_sp < stack.base;
}

static void a_service_runs_on_the_hosts_stack(const void *arg)
{
    moat_co *co = create(call_once, NULL, "guest");
    moat_event event;
    char here;

    (void)arg;
    event = resume(co, (void *)41);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ((uintptr_t)event.value, 42);
    EXPECT(!is_on(co));
    EXPECT((uintptr_t)&here - service_sp < 65536);
    EXPECT(service_current == NULL);
    EXPECT_EQ(errno, EDOM);
    moat_co_destroy(co);
}

static void *resume_inner(moat_co *self, void *input)
{
    moat_event event = resume(input, (void *)1);

    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(service_current == self);
    return event.value;
}

static void
a_service_of_an_inner_guest_runs_on_the_outers_stack(const void *arg)
{
    moat_co *outer = create(resume_inner, NULL, "outer");
    moat_co *inner = create(call_once, NULL, "inner");

    (void)arg;
    EXPECT_EQ((uintptr_t)resume(outer, inner).value, 2);
    EXPECT(is_on(outer));
    moat_co_destroy(inner);
    moat_co_destroy(outer);
}

/* ---- What it may do ---- */

static void *yield_and_resume(void *arg)
{
    moat_co *self = ((moat_co **)arg)[0];
    moat_co *other = ((moat_co **)arg)[1];
    moat_event event;

    EXPECT(moat_co_yield(self, self) == NULL);
    EXPECT_EQ(moat_co_get_state(self), MOAT_CO_RESUMING);
    EXPECT_EQ(moat_co_resume(self, NULL, &event), MOAT_E_STATE);
    EXPECT_EQ((uintptr_t)resume(other, (void *)6).value, 7);
    return other;
}

static void *call_that_resumes(moat_co *self, void *input)
{
    moat_co *both[2] = {self, input};

    return moat_call_on_parent(self, yield_and_resume, both);
}

static void a_service_can_resume_others_but_not_yield(const void *arg)
{
    moat_co *co = create(call_that_resumes, NULL, "guest");
    moat_co *other = create(call_once, NULL, "other");

    (void)arg;
    EXPECT(resume(co, other).value == other);
    moat_co_destroy(other);
    moat_co_destroy(co);
}

static void *yield_as_resumer(void *arg)
{
    moat_co *outer = moat_co_current();

    EXPECT(outer != NULL);
    EXPECT(moat_co_yield(outer, outer) == NULL);
    EXPECT_EQ(moat_co_get_state(outer), MOAT_CO_RUNNING);
    /* Other coroutines may yield, even if they resume one that makes host
     * calls. */
    EXPECT_EQ(resume(((moat_co **)arg)[0], arg).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(resume(((moat_co **)arg)[0], arg).kind, MOAT_EVENT_YIELD);
    EXPECT(moat_co_current() == outer);
    EXPECT(moat_co_yield(outer, outer) == NULL);
    return arg;
}

static void *call_yield_as_resumer(moat_co *self, void *input)
{
    return moat_call_on_parent(self, yield_as_resumer, input);
}

static void *resume_then_yield(moat_co *self, void *input)
{
    moat_co **both = input;
    moat_event event = resume(both[1], input);

    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    EXPECT(event.value == input);
    return moat_co_yield(self, self);
}

static void *echo_beside_a_service(moat_co *self, void *input)
{
    (void)input;
    for (;;) {
        moat_co *helper = create(call_once, NULL, "helper");

        EXPECT_EQ((uintptr_t)resume(helper, (void *)1).value, 2);
        moat_co_destroy(helper);
        (void)moat_co_yield(self, NULL);
    }
    return NULL;
}

static void a_service_cannot_yield_as_the_resumer(const moat_limits *limits)
{
    moat_co *both[2];
    moat_co *outer = create(resume_then_yield, limits, "outer");
    moat_event event;

    both[0] = create(echo_beside_a_service, NULL, "other");
    both[1] = create(call_yield_as_resumer, NULL, "inner");
    event = resume(outer, both);
    EXPECT_EQ(event.kind, MOAT_EVENT_YIELD);
    EXPECT(event.value == outer);
    EXPECT_EQ(moat_co_get_state(both[1]), MOAT_CO_DONE);
    EXPECT_EQ(resume(outer, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(both[0]);
    moat_co_destroy(both[1]);
    moat_co_destroy(outer);
}

static void a_yield_of_the_resumer_has_no_effect(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    a_service_cannot_yield_as_the_resumer(NULL);
    limits.wall_ns = 3600000 * MS;
    a_service_cannot_yield_as_the_resumer(&limits);
}

static void *leave_too_often(void *arg)
{
    moat_notrap_leave();
    moat_notrap_enter();
    moat_notrap_leave();
    moat_notrap_leave();
    return arg;
}

static void *call_leave(moat_co *self, void *input)
{
    return moat_call_on_parent(self, leave_too_often, input);
}

static void *leave_open(void *arg)
{
    moat_notrap_enter();
    return arg;
}

static void *call_leave_open(moat_co *self, void *input)
{
    return moat_call_on_parent(self, leave_open, input);
}

static void *fault_behind_the_call(moat_co *self, void *input)
{
    (void)self;
    EXPECT_EQ(resume(input, input).kind, MOAT_EVENT_RETURN);
    __asm__ volatile("movl $1, (%0)" : : "r"((uintptr_t)0) : "memory");
    return input;
}

/* The call leaves the number of the resumer's sections unchanged. */
static void the_resumers_sections_are_its_own(const void *arg)
{
    moat_entry callers[2] = {call_leave, call_leave_open};

    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        moat_co *outer = create(fault_behind_the_call, NULL, "outer");
        moat_co *inner = create(callers[i], NULL, "inner");

        EXPECT_EQ(resume(outer, inner).kind, MOAT_EVENT_TRAP);
        moat_co_destroy(inner);
        moat_co_destroy(outer);
    }
}

static void *misuse(moat_co *self, void *input)
{
    service_sp = 0;
    EXPECT(moat_call_on_parent(NULL, note_where, self) == NULL);
    EXPECT(moat_call_on_parent(input, note_where, self) == NULL);
    EXPECT(moat_call_on_parent(self, NULL, self) == NULL);
    EXPECT_EQ(service_sp, 0);
    return NULL;
}

static void misuse_has_no_effect(const void *arg)
{
    moat_co *co = create(misuse, NULL, "guest");
    moat_co *other = create(misuse, NULL, "other");

    (void)arg;
    EXPECT_EQ(resume(co, other).kind, MOAT_EVENT_RETURN);
    EXPECT(moat_call_on_parent(co, note_where, co) == NULL);
    EXPECT_EQ(service_sp, 0);
    moat_co_destroy(other);
    moat_co_destroy(co);
}

/* ---- How it ends early ---- */

static void *fault(void *arg)
{
    /* In assembly, so that no sanitizer reports the fault first. */
    __asm__ volatile("movl $1, (%0)" : : "r"(arg) : "memory");
    return NULL;
}

static void *call_fault(moat_co *self, void *input)
{
    return moat_call_on_parent(self, fault, input);
}

static void a_fault_in_a_service_is_the_hosts(const void *arg)
{
    (void)arg;
    (void)resume(create(call_fault, NULL, "guest"), NULL);
}

static void *resume_faulting(moat_co *self, void *input)
{
    (void)self;
    return resume(input, NULL).value;
}

static void also_where_the_resumer_is_a_guest(const void *arg)
{
    (void)arg;
    (void)resume(create(resume_faulting, NULL, "outer"),
                 create(call_fault, NULL, "inner"));
}

static void *leave_and_fault(void *arg)
{
    return fault(leave_too_often(arg));
}

static void *call_leave_and_fault(moat_co *self, void *input)
{
    return moat_call_on_parent(self, leave_and_fault, input);
}

static void also_behind_a_leave_without_an_enter(const void *arg)
{
    (void)arg;
    (void)resume(create(resume_faulting, NULL, "outer"),
                 create(call_leave_and_fault, NULL, "inner"));
}

static bool service_ended;

static void *spend_50_ms(void *arg)
{
    struct timespec now, end;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 50 * 1000000;
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - end.tv_sec) * 1000000000 + now.tv_nsec <
             end.tv_nsec);
    service_ended = true;
    return arg;
}

static void *call_long(moat_co *self, void *input)
{
    while (moat_call_on_parent(self, spend_50_ms, input) == input)
        continue;
    return NULL;
}

static void a_deadline_waits_for_the_end_of_the_service(const void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co;

    (void)arg;
    limits.wall_ns = 20 * MS;
    co = create(call_long, &limits, "guest");
    EXPECT_EQ(resume(co, NULL).kind, MOAT_EVENT_TRAP);
    EXPECT(service_ended);
    EXPECT_EQ(moat_co_trap_info(co, &info), MOAT_OK);
    EXPECT_EQ(info.kind, MOAT_TRAP_DEADLINE);
    moat_co_destroy(co);
}

/* ---- How it appears in a backtrace ---- */

static moat_frame frames[256];
static size_t frame_count;

static void *walk(void *arg)
{
    EXPECT_EQ(moat_backtrace(frames, 256, &frame_count), MOAT_OK);
    return arg;
}

static void *call_walk(moat_co *self, void *input)
{
    return moat_call_on_parent(self, walk, input);
}

static size_t count_frames(const moat_co *co, unsigned flags)
{
    size_t count = 0;

    for (size_t i = 0; i < frame_count; i++)
        count += frames[i].co == co && (frames[i].flags & flags) == flags;
    return count;
}

static void
a_backtrace_crosses_to_the_guest_and_on_to_its_resumer(const void *arg)
{
    moat_co *outer = create(resume_faulting, NULL, "outer");
    moat_co *inner = create(call_walk, NULL, "inner");

    (void)arg;
    EXPECT_EQ(resume(outer, inner).kind, MOAT_EVENT_RETURN);
    EXPECT(frames[0].co == outer);
    EXPECT_EQ(count_frames(inner, MOAT_FRAME_ROOT), 1);
    EXPECT_EQ(count_frames(outer, MOAT_FRAME_ROOT), 1);
    EXPECT(count_frames(inner, 0) >= 3);
    EXPECT(frames[frame_count - 1].co == NULL);
    EXPECT_EQ(count_frames(inner, MOAT_FRAME_GUESSED), 0);
    moat_co_destroy(inner);
    moat_co_destroy(outer);
}

static void *ignore_all(void *arg)
{
    return arg;
}

/* Volatile, so that the compiler does not make a loop of it. */
static __attribute__((noinline)) size_t call_ever_deeper(moat_co *self,
                                                         size_t depth)
{
    volatile size_t below;

    (void)moat_call_on_parent(self, ignore_all, NULL);
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
    moat_co *co = create(overflow_by_calls, NULL, "deep");

    (void)arg;
    for (size_t phase = 16; phase <= 1024; phase += 16) {
        EXPECT_EQ(resume(co, &phase).kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
    }
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(an_overflow_on_the_way_there_is_the_guests),
    CHILD_CASE(a_service_runs_on_the_hosts_stack),
    CHILD_CASE(a_service_of_an_inner_guest_runs_on_the_outers_stack),
    CHILD_CASE(a_service_can_resume_others_but_not_yield),
    CHILD_CASE(a_yield_of_the_resumer_has_no_effect),
    CHILD_CASE(the_resumers_sections_are_its_own),
    CHILD_CASE(misuse_has_no_effect),
    {"a_fault_in_a_service_is_the_hosts", a_fault_in_a_service_is_the_hosts,
     NULL, NULL, SIGSEGV, 0},
    {"also_where_the_resumer_is_a_guest", also_where_the_resumer_is_a_guest,
     NULL, NULL, SIGSEGV, 0},
    {"also_behind_a_leave_without_an_enter",
     also_behind_a_leave_without_an_enter, NULL, NULL, SIGSEGV, 0},
    CHILD_CASE(a_deadline_waits_for_the_end_of_the_service),
    CHILD_CASE(a_backtrace_crosses_to_the_guest_and_on_to_its_resumer),
};

int main(int argc, char **argv)
{
    return child_cases_run("call_on_parent", cases,
                           sizeof cases / sizeof cases[0],
                           argc > 1 ? argv[1] : NULL);
}
