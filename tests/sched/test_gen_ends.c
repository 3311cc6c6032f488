/*
 * test_gen_ends.c: bodies that end otherwise than by returning, and calls that
 * are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include "sched/generators.h"

/* ---- Traps ---- */

static volatile int *nowhere;

static void fault(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    *nowhere = 1;
}

static int descend(volatile int depth)
{
    volatile char room[512];

    room[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + room[0];
}

static void overflow(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    (void)descend(0);
}

static void spin(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    for (;;)
        __asm__ volatile("pause");
}

static void end_by_abort(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    abort();
}

static void end_by_raise(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    moat_trap_raise(7);
}

static void expect_end(moat_gen_body body, moat_trap_kind kind,
                       const moat_co_options *options)
{
    moat_gen *gen = make_with(body, NULL, options);

    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_OK);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(next(gen), -1);
        EXPECT_EQ(moat_gen_status(gen), MOAT_E_FAULT);
        EXPECT_EQ(trap_of(gen).kind, kind);
    }
    EXPECT_EQ(moat_gen_cancel(gen), MOAT_E_FAULT);
    moat_gen_destroy(gen);
}

static void a_trap_is_a_status(const void *arg)
{
    (void)arg;
    expect_end(fault, MOAT_TRAP_NULL, NULL);
    expect_end(overflow, MOAT_TRAP_STACK_OVERFLOW, NULL);
    expect_end(end_by_abort, MOAT_TRAP_ABORT, NULL);
    expect_end(end_by_raise, MOAT_TRAP_RAISED, NULL);
}

static void a_passed_limit_is_a_status(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.wall_ns = 100000000;
    options.limits = &limits;
    expect_end(spin, MOAT_TRAP_DEADLINE, &options);
    limits.wall_ns = 0;
    limits.resume_cpu_ns = 100000000;
    expect_end(spin, MOAT_TRAP_DEADLINE, &options);
}

/* The host has the report of the body, as of any coroutine. */
static void the_report_is_the_hosts(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    static char text[65536];
    FILE *file = tmpfile();
    moat_gen *gen;
    size_t size;

    (void)arg;
    REQUIRE(file != NULL);
    options.name = "broken sequence";
    gen = make_with(fault, NULL, &options);
    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_co_print_report(moat_gen_co(gen), fileno(file)), MOAT_OK);
    rewind(file);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    EXPECT(strstr(text, "broken sequence") != NULL);
    EXPECT(strstr(text, "null pointer") != NULL);
    fclose(file);
    moat_gen_destroy(gen);
}

/* A consumer that is a generator survives the one that it consumes. */
static void consume(moat_gen *gen, void *arg)
{
    MOAT_FOR_EACH(item, arg)
    moat_gen_yield(gen, item);
    moat_gen_yield(gen, (void *)(intptr_t) - (int)moat_gen_status(arg));
}

static void a_trap_stays_with_its_generator(const void *arg)
{
    moat_gen *inner = make(fault, NULL), *outer = make(consume, inner);

    (void)arg;
    EXPECT_EQ(next(outer), 1);
    EXPECT_EQ(next(outer), -(int)MOAT_E_FAULT);
    EXPECT_EQ(next(outer), -1);
    EXPECT_EQ(moat_gen_status(outer), MOAT_OK);
    moat_gen_destroy(outer);
    moat_gen_destroy(inner);
}

static void destroy_gen(void *gen)
{
    moat_gen_destroy(gen);
}

/* Leaves a generator, registered for its end. */
static void fault_with_another(moat_gen *gen, void *arg)
{
    moat_gen *other = make(forever, NULL);

    (void)arg;
    REQUIRE(moat_co_defer(moat_gen_co(gen), destroy_gen, other) == MOAT_OK);
    moat_gen_yield(gen, (void *)next(other));
    *nowhere = 1;
}

static void what_a_trapped_body_consumed_is_destroyed(const void *arg)
{
    moat_gen *gen = make(fault_with_another, NULL);

    (void)arg;
    EXPECT_EQ(next(gen), 1);
    EXPECT_EQ(cleaned, 0);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_FAULT);
    EXPECT_EQ(cleaned, 1);
    moat_gen_destroy(gen);
}

static void trap_in_cleanup(const int *unused)
{
    (void)unused;
    moat_trap_raise(8);
}

static void trap_while_unwound(moat_gen *gen, void *arg)
{
    __attribute__((cleanup(trap_in_cleanup), unused)) int here = 0;

    (void)arg;
    for (;;)
        moat_gen_yield(gen, (void *)1);
}

static void a_trap_while_unwound_is_a_status(const void *arg)
{
    moat_gen *cancelled = make(trap_while_unwound, NULL);
    moat_gen *destroyed = make(trap_while_unwound, NULL);

    (void)arg;
    EXPECT_EQ(next(cancelled), 1);
    EXPECT_EQ(next(destroyed), 1);
    EXPECT_EQ(moat_gen_cancel(cancelled), MOAT_E_FAULT);
    EXPECT_EQ(trap_of(cancelled).user_code, 8);
    moat_gen_destroy(cancelled);
    moat_gen_destroy(destroyed);
}

/* Creates and destroys until its deadline. */
static void bustle(moat_gen *gen, void *arg)
{
    intptr_t one = 1;

    moat_gen_yield(gen, (void *)1);
    for (;;) {
        moat_gen *other = make(count, &one);

        ++*(volatile int *)arg;
        (void)next(other);
        moat_gen_destroy(other);
    }
}

/* A guest that a deadline stops in a create or a destroy leaves the allocator
 * usable. */
static void a_deadline_leaves_the_allocator_alone(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    (void)arg;
    limits.wall_ns = 20000000;
    options.limits = &limits;
    for (int i = 0; i < 20; i++) {
        int made = 0;
        moat_gen *gen = make_with(bustle, &made, &options);

        EXPECT_EQ(next(gen), 1);
        EXPECT_EQ(next(gen), -1);
        EXPECT_EQ(trap_of(gen).kind, MOAT_TRAP_DEADLINE);
        moat_gen_destroy(gen);
        free(malloc(100));
    }
}

static void *consume_all(moat_co *self, void *gen)
{
    volatile bool waits = true;

    (void)self;
    MOAT_FOR_EACH(item, gen)
    EXPECT_EQ(item, 1);
    while (waits)
        continue;
    return NULL;
}

/* The limit is the consumer's, and passes while the body runs: that is stopped
 * first, and soon after it the consumer. */
static void a_consumer_is_stopped_while_the_body_runs(const void *arg)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_gen *gen = make(spin, NULL);
    moat_event event;
    moat_co *co = NULL;

    (void)arg;
    limits.wall_ns = 100000000;
    options.limits = &limits;
    REQUIRE(moat_co_create(&co, consume_all, &options) == MOAT_OK);
    REQUIRE(moat_co_resume(co, gen, &event) == MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_TRAP);
    EXPECT(event.co == co);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_FAULT);
    EXPECT_EQ(trap_of(gen).kind, MOAT_TRAP_DEADLINE);
    EXPECT_EQ(next(gen), -1);
    EXPECT_EQ(moat_gen_status(gen), MOAT_E_FAULT);
    EXPECT_EQ(moat_gen_cancel(gen), MOAT_E_FAULT);
    moat_gen_destroy(gen);
    moat_co_destroy(co);
}

/* ---- Exceptions ---- */

static int deleted;

static void delete_exception(_Unwind_Reason_Code reason,
                             struct _Unwind_Exception *exception)
{
    (void)reason;
    (void)exception;
    deleted++;
}

static struct _Unwind_Exception thrown;

static void throw_it(moat_gen *gen, void *arg)
{
    (void)arg;
    moat_gen_yield(gen, (void *)1);
    memset(&thrown, 0, sizeof thrown);
    thrown.exception_class = 0x6d6f617474657374; /* "moattest" */
    thrown.exception_cleanup = delete_exception;
    (void)_Unwind_RaiseException(&thrown);
}

static void an_exception_is_a_status(const void *arg)
{
    moat_gen *taken = make(throw_it, NULL), *left = make(throw_it, NULL);

    (void)arg;
    EXPECT_EQ(next(taken), 1);
    EXPECT_EQ(next(taken), -1);
    EXPECT_EQ(moat_gen_status(taken), MOAT_E_EXCEPTION);
    EXPECT(moat_gen_take_exception(taken) == &thrown);
    EXPECT(moat_gen_take_exception(taken) == NULL);
    moat_gen_destroy(taken);
    EXPECT_EQ(deleted, 0);

    EXPECT_EQ(next(left), 1);
    EXPECT_EQ(next(left), -1);
    moat_gen_destroy(left);
    EXPECT_EQ(deleted, 1);
}

int main(void)
{
    static const char *const no_loops =
        UNDER_TSAN ? "TSan delays signals in a loop without calls" : NULL;
    const struct child_case cases[] = {
        CHILD_CASE(a_trap_is_a_status),
        {"a_passed_limit_is_a_status", a_passed_limit_is_a_status, NULL,
         no_loops, 0, 0},
        CHILD_CASE(the_report_is_the_hosts),
        CHILD_CASE(a_trap_stays_with_its_generator),
        CHILD_CASE(what_a_trapped_body_consumed_is_destroyed),
        CHILD_CASE(a_trap_while_unwound_is_a_status),
        CHILD_CASE(a_deadline_leaves_the_allocator_alone),
        {"a_consumer_is_stopped_while_the_body_runs",
         a_consumer_is_stopped_while_the_body_runs, NULL, no_loops, 0, 0},
        CHILD_CASE(an_exception_is_a_status),
    };

    return child_cases_run("sched.gen_ends", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
