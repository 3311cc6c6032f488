/*
 * test_failure.c: tasks that fault, loop or are cancelled are results for those
 * who wait, and leave nothing behind in any queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/scene.h"

#define REACHED() expect_true(false, "not reached", __FILE__, __LINE__)

/* ---- Traps -----------------------------------------------------------------
 */

static volatile int zero;
static int *volatile nowhere;

static int descend(volatile char *above)
{
    volatile char here[512];

    here[0] = above[0];
    return zero == 0 ? descend(here) + here[0] : 0;
}

static void *overflows(void *arg)
{
    volatile char here = 0;

    (void)descend(&here);
    return arg;
}

static void *follows_null(void *arg)
{
    *nowhere = 1;
    return arg;
}

static void *aborts(void *arg)
{
    (void)arg;
    abort();
}

static void *raises(void *arg)
{
    (void)arg;
    moat_trap_raise(42);
}

static void *sends_from_nowhere(void *arg)
{
    (void)!moat_chan_send(arg, (const void *)16, NEVER);
    return NULL;
}

static void *receives_to_nowhere(void *arg)
{
    (void)!moat_chan_recv(arg, (void *)16, NEVER);
    return NULL;
}

static void *selects_from_nowhere(void *arg)
{
    (void)!moat_select((const moat_select_case *)16, 3, NEVER, arg);
    return NULL;
}

static void *sends_to_nowhere(void *arg)
{
    (void)!moat_chan_send((moat_chan *)16, arg, NEVER);
    return NULL;
}

static void *spawns_from_nowhere(void *arg)
{
    (void)!moat_task_spawn(NULL, follows_null, arg,
                           (const moat_task_options *)16, NULL);
    return NULL;
}

static void *has_a_bad_name(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;

    options.name = (const char *)16;
    (void)!moat_task_spawn(NULL, follows_null, arg, &options, NULL);
    return NULL;
}

static void *joins_into_nowhere(void *arg)
{
    (void)!moat_task_join(arg, NEVER, (moat_result *)16);
    return NULL;
}

static void *returns(void *arg)
{
    return arg;
}

static void *all_trap(void *arg)
{
    static const struct {
        moat_task_fn fn;
        moat_trap_kind kind;
    } crimes[] = {
        {overflows, MOAT_TRAP_STACK_OVERFLOW},
        {follows_null, MOAT_TRAP_NULL},
        {aborts, MOAT_TRAP_ABORT},
        {raises, MOAT_TRAP_RAISED},
        {sends_from_nowhere, MOAT_TRAP_NULL},
        {receives_to_nowhere, MOAT_TRAP_NULL},
        {selects_from_nowhere, MOAT_TRAP_NULL},
        {sends_to_nowhere, MOAT_TRAP_NULL},
        {spawns_from_nowhere, MOAT_TRAP_NULL},
        {has_a_bad_name, MOAT_TRAP_NULL},
    };
    moat_chan *chan = chan_of(8, 100);
    moat_result result;

    EXPECT_EQ(send_number(chan, 1), MOAT_OK);
    for (size_t i = 0; i < sizeof crimes / sizeof crimes[0]; i++) {
        expect_context("crime %zu", i);
        result = join(spawn(crimes[i].fn, chan));
        EXPECT_EQ(result.kind, MOAT_EVENT_TRAP);
        EXPECT_EQ(result.trap.kind, crimes[i].kind);
        EXPECT(result.trap.regs == NULL);
        EXPECT_EQ(result.status, MOAT_OK);
        EXPECT(result.value == NULL);
    }
    expect_context("%s", "");
    result = join(spawn(joins_into_nowhere, spawn(returns, NULL)));
    EXPECT_EQ(result.trap.kind, MOAT_TRAP_NULL);
    moat_chan_destroy(chan);
    return arg;
}

static void a_trap_is_a_result(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(all_trap).trapped, 11);
}

static void the_first_task_may_trap(const void *arg)
{
    moat_result result = {.kind = MOAT_EVENT_RETURN};

    (void)arg;
    (void)run_with(MOAT_CLOCK_TEST, follows_null, NULL, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(result.trap.kind, MOAT_TRAP_NULL);
    (void)run_with(MOAT_CLOCK_TEST, overflows, NULL, NULL);
}

static void *loops(void *arg)
{
    while (zero == 0)
        ;
    return arg;
}

static void *waits_under_a_limit(void *arg)
{
    moat_chan *chan = chan_of(8, 0);

    EXPECT_EQ(moat_sleep(1000 * MS), MOAT_OK);
    EXPECT_EQ(moat_chan_send(chan, &arg, 0), MOAT_E_TIMEOUT);
    moat_chan_destroy(chan);
    return NULL;
}

static void *limits_a_loop(void *arg)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;
    moat_result result;

    limits.wall_ns = 10000 * MS;
    options.limits = &limits;
    EXPECT_EQ(moat_task_spawn(NULL, waits_under_a_limit, NULL, &options, &task),
              MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    limits.wall_ns = 2 * MS;
    options.name = "loops";
    EXPECT_EQ(moat_task_spawn(NULL, loops, NULL, &options, &task), MOAT_OK);
    result = join(task);
    EXPECT_EQ(result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(result.trap.kind, MOAT_TRAP_DEADLINE);
    return arg;
}

static void a_limit_ends_a_task_that_loops(const void *arg)
{
    (void)arg;
    (void)run(limits_a_loop);
}

/* ---- Cancelled -------------------------------------------------------------
 */

static int cleaned;

static void clean(int *what)
{
    cleaned += *what;
}

#define CLEANED __attribute__((cleanup(clean))) int

static void *waits_to_receive(void *arg)
{
    CLEANED one = 1;

    (void)one;
    (void)!moat_chan_recv(arg, NULL, NEVER);
    return arg;
}

static void *waits_to_send(void *arg)
{
    CLEANED one = 1;

    (void)one;
    (void)send_number(arg, 77);
    return arg;
}

static void *waits_in_select(void *arg)
{
    CLEANED one = 1;
    uint64_t item = 78;
    moat_select_case cases[] = {{arg, true, &item}, {arg, false, &item}};

    (void)one;
    (void)!moat_select(cases, 2, moat_now() + 1000 * MS, NULL);
    return arg;
}

static void *waits_for_time(void *arg)
{
    CLEANED one = 1;

    (void)one;
    (void)moat_sleep(1000000 * MS);
    return arg;
}

static void *waits_for_a_task(void *arg)
{
    CLEANED one = 1;
    moat_task *task = spawn(waits_for_time, NULL);

    (void)one;
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    (void)!moat_task_join(spawn(waits_to_receive, arg), NEVER, NULL);
    return arg;
}

static void *waits_for_a_group(void *arg)
{
    CLEANED one = 1;
    moat_group *group = group_of(0);

    (void)one;
    (void)spawn_in(group, waits_to_receive, arg);
    (void)spawn_in(group, waits_for_time, arg);
    (void)!moat_group_wait(group, NEVER, NULL);
    return arg;
}

static void *yields_for_ever(void *arg)
{
    CLEANED one = 1;

    (void)one;
    while (zero == 0)
        moat_task_yield();
    return arg;
}

static void *cancels_itself(void *arg)
{
    CLEANED one = 1;

    (void)one;
    (void)moat_task_cancel(moat_task_self());
    REACHED();
    return arg;
}

static void *all_are_cancelled(void *arg)
{
    static const struct {
        moat_task_fn fn;
        int cleaned;
    } waits[] = {
        {waits_to_receive, 1}, {waits_to_send, 1},     {waits_in_select, 1},
        {waits_for_time, 1},   {waits_for_a_group, 3}, {yields_for_ever, 1},
    };
    moat_chan *chan = chan_of(8, 0);

    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        moat_task *task = spawn(waits[i].fn, chan);
        moat_result result;

        expect_context("wait %zu", i);
        cleaned = 0;
        moat_task_yield();
        moat_task_yield();
        EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
        EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
        result = join(task);
        EXPECT_EQ(result.kind, MOAT_EVENT_CANCELLED);
        EXPECT_EQ(result.status, MOAT_OK);
        EXPECT(result.value == NULL);
        EXPECT_EQ(cleaned, waits[i].cleaned);
        /* Nobody is left at the channel. */
        EXPECT_EQ(moat_chan_recv(chan, NULL, 0), MOAT_E_TIMEOUT);
        EXPECT_EQ(moat_chan_send(chan, &i, 0), MOAT_E_TIMEOUT);
    }
    EXPECT_EQ(moat_now(), 0); /* nor among the timers */
    moat_chan_destroy(chan);
    return arg;
}

static void a_cancelled_task_is_unwound_where_it_waits(const void *arg)
{
    (void)arg;
    (void)run(all_are_cancelled);
}

static void *never_starts(void *arg)
{
    REACHED();
    return arg;
}

static void *cancels_before_the_start(void *arg)
{
    moat_task *task = spawn(never_starts, NULL);

    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    task = spawn(cancels_itself, NULL);
    cleaned = 0;
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(cleaned, 1);
    task = spawn(returns, NULL);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void *joins_one_that_waits(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *task = spawn(waits_for_a_task, chan);

    moat_task_yield();
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    moat_chan_close(chan); /* ends the one that was joined */
    moat_task_yield();
    moat_chan_destroy(chan);
    return arg;
}

static void it_may_be_cancelled_at_any_time(const void *arg)
{
    (void)arg;
    (void)run(cancels_before_the_start);
    (void)run(joins_one_that_waits);
}

/* Cleanup code that waits. */
static moat_chan *late;
static moat_status late_status[4];

static void wait_in_cleanup(int *unused)
{
    moat_group *group = group_of(0);

    (void)unused;
    late_status[0] = moat_chan_recv(late, NULL, NEVER);
    late_status[1] = moat_sleep(MS);
    late_status[2] = moat_chan_send(late, &late, 0);
    (void)spawn_in(group, waits_for_time, NULL);
    moat_group_close(group);
    late_status[3] = moat_task_join(spawn(returns, NULL), NEVER, NULL);
    cleaned++;
}

static void *waits_in_cleanup(void *arg)
{
    __attribute__((cleanup(wait_in_cleanup))) int one = 1;

    (void)one;
    (void)!moat_chan_recv(late, NULL, NEVER);
    return arg;
}

static void *cancels_one_that_waits_in_cleanup(void *arg)
{
    moat_task *task;

    late = chan_of(8, 1);
    task = spawn(waits_in_cleanup, NULL);
    cleaned = 0;
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(late_status[0], MOAT_E_CANCELLED);
    EXPECT_EQ(late_status[1], MOAT_E_CANCELLED);
    EXPECT_EQ(late_status[2], MOAT_OK);
    EXPECT_EQ(late_status[3], MOAT_E_CANCELLED);
    EXPECT_EQ(cleaned, 1);
    EXPECT(recv_number(late) != 0);
    moat_chan_destroy(late);
    return arg;
}

static void crash_in_cleanup(int *unused)
{
    (void)unused;
    *nowhere = 1;
}

static void *crashes_in_cleanup(void *arg)
{
    __attribute__((cleanup(crash_in_cleanup))) int one = 1;

    (void)one;
    (void)moat_sleep(MS);
    return arg;
}

static void *cancels_one_that_crashes_in_cleanup(void *arg)
{
    moat_task *task = spawn(crashes_in_cleanup, NULL);

    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_TRAP);
    return arg;
}

static void cleanup_code_may_wait_and_crash(const void *arg)
{
    (void)arg;
    (void)run(cancels_one_that_waits_in_cleanup);
    (void)run(cancels_one_that_crashes_in_cleanup);
}

/* An item that was handed over is not lost with its receiver. */
static void *receives_twice(void *arg)
{
    CLEANED one = 1;

    (void)one;
    cleaned += (int)recv_number(arg);
    (void)!moat_chan_recv(arg, NULL, NEVER);
    REACHED();
    return NULL;
}

static void *cancels_a_satisfied_task(void *arg)
{
    moat_chan *chan = chan_of(8, 0);
    moat_task *task = spawn(receives_twice, chan);

    cleaned = 0;
    moat_task_yield();
    EXPECT_EQ(send_number(chan, 100), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(cleaned, 101);
    moat_chan_destroy(chan);
    return arg;
}

static void an_item_handed_over_is_received(const void *arg)
{
    (void)arg;
    (void)run(cancels_a_satisfied_task);
}

/* Deferred functions run on the host's stack and may call what does not wait.
 */
static void close_it(void *arg)
{
    EXPECT(moat_task_self() == NULL);
    moat_chan_close(arg);
    cleaned++;
}

static void *defers_and_crashes(void *arg)
{
    EXPECT_EQ(moat_co_defer(moat_co_current(), close_it, arg), MOAT_OK);
    *nowhere = 1;
    return NULL;
}

static void *waits_for_a_deferred_close(void *arg)
{
    moat_chan *chan = chan_of(8, 0);

    cleaned = 0;
    (void)spawn(defers_and_crashes, chan);
    EXPECT_EQ(moat_chan_recv(chan, NULL, NEVER), MOAT_E_CLOSED);
    EXPECT_EQ(cleaned, 1);
    moat_chan_destroy(chan);
    return arg;
}

static void a_deferred_function_may_close_a_channel(const void *arg)
{
    (void)arg;
    (void)run(waits_for_a_deferred_close);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_trap_is_a_result),
        CHILD_CASE(the_first_task_may_trap),
#if UNDER_TSAN
        {"a_limit_ends_a_task_that_loops", a_limit_ends_a_task_that_loops, NULL,
         "ThreadSanitizer delays the signal of a limit", 0, 0},
#else
        CHILD_CASE(a_limit_ends_a_task_that_loops),
#endif
        CHILD_CASE(a_cancelled_task_is_unwound_where_it_waits),
        CHILD_CASE(it_may_be_cancelled_at_any_time),
        CHILD_CASE(cleanup_code_may_wait_and_crash),
        CHILD_CASE(an_item_handed_over_is_received),
        CHILD_CASE(a_deferred_function_may_close_a_channel),
    };

    return child_cases_run("sched.failure", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
