/*
 * test_task.c: tasks: spawn, join, yield, sleep, clocks, misuse.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "sched/scene.h"

static void *echo(void *arg)
{
    return arg;
}

static int numbers[8];

/* ---- Life ---------------------------------------------------------------- */

static void *joins_many(void *arg)
{
    moat_task *tasks[8];

    for (size_t i = 0; i < 8; i++)
        tasks[i] = spawn(echo, &numbers[i]);
    for (size_t i = 8; i-- > 0;) {
        moat_result result = join(tasks[i]);

        EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ(result.status, MOAT_OK);
        EXPECT(result.value == &numbers[i]);
    }
    return arg;
}

/* More than the memory of tasks that are gone is kept for. */
#define AFTER_THE_FIRST 3000

static void *joins_after_the_first(void *arg)
{
    moat_task_yield(); /* the first has ended */
    for (size_t i = 0; i < AFTER_THE_FIRST; i++) {
        moat_result result = {.kind = MOAT_EVENT_PANIC};

        if (!EXPECT_EQ(
                moat_task_join(spawn(echo, &numbers[i % 8]), NEVER, &result),
                MOAT_OK))
            break;
        EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
        EXPECT(result.value == &numbers[i % 8]);
    }
    return arg;
}

static void *ends_first(void *arg)
{
    (void)spawn(joins_after_the_first, NULL);
    (void)arg;
    return numbers;
}

/* The memory of the first task is used again, and the run's result stays. */
static void tasks_go_on_after_the_first(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    options.report_fd = -1;
    for (options.threads = 1; options.threads <= 2; options.threads++) {
        EXPECT_EQ(moat_sched_run(&options, ends_first, NULL, &result), MOAT_OK);
        EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
        EXPECT(result.value == numbers);
    }
}

static void a_task_returns_its_value_to_its_joiner(const void *arg)
{
    moat_sched_stats stats = run(joins_many);

    (void)arg;
    EXPECT_EQ(stats.spawned, 9);
    EXPECT_EQ(stats.returned, 9);
}

static void the_first_task_returns_its_value_to_the_run(const void *arg)
{
    moat_result result;

    (void)arg;
    EXPECT_EQ(moat_sched_run(NULL, echo, numbers, &result), MOAT_OK);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT(result.value == numbers);
    EXPECT_EQ(moat_sched_run(NULL, echo, numbers, NULL), MOAT_OK);
}

static char letters[16];

static void *writes_a_letter(void *arg)
{
    strncat(letters, arg, 1);
    moat_task_yield();
    strncat(letters, arg, 1);
    return NULL;
}

static void *starts_three(void *arg)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    (void)spawn(writes_a_letter, a);
    (void)spawn(writes_a_letter, b);
    (void)spawn(writes_a_letter, c);
    return arg;
}

static void tasks_have_their_turns_in_order(const void *arg)
{
    (void)arg;
    letters[0] = '\0';
    (void)run(starts_three);
    EXPECT_STR(letters, "abcabc");
}

static void *outlives(void *arg)
{
    EXPECT_EQ(moat_sleep(5 * MS), MOAT_OK);
    *(int *)arg = 1;
    return NULL;
}

static void *leaves_one_behind(void *arg)
{
    EXPECT_EQ(moat_task_spawn(NULL, outlives, arg, NULL, NULL), MOAT_OK);
    return NULL;
}

static void a_run_ends_with_its_last_task(const void *arg)
{
    int done = 0;

    (void)arg;
    (void)run_with(MOAT_CLOCK_TEST, leaves_one_behind, &done, NULL);
    EXPECT_EQ(done, 1);
}

static void *knows_itself(void *arg)
{
    EXPECT(moat_task_self() != NULL);
    EXPECT(moat_task_self() != arg);
    return moat_task_self();
}

static void *asks_who_it_is(void *arg)
{
    moat_task *task = spawn(knows_itself, moat_task_self());

    EXPECT(join(task).value == task);
    return arg;
}

static void a_task_knows_itself(const void *arg)
{
    (void)arg;
    EXPECT(moat_task_self() == NULL);
    (void)run(asks_who_it_is);
    EXPECT(moat_task_self() == NULL);
}

/* ---- Time ---------------------------------------------------------------- */

static void *sleeps_for(void *arg)
{
    uint64_t before = moat_now();

    EXPECT_EQ(moat_sleep(*(uint64_t *)arg), MOAT_OK);
    EXPECT(moat_now() >= before + *(uint64_t *)arg);
    return NULL;
}

static void *sleeps_in_order(void *arg)
{
    static uint64_t times[100];
    uint64_t begin = moat_now();

    (void)arg;
    for (size_t i = 0; i < 100; i++) {
        times[i] = (i * 37 % 100) * 3600000 * MS;
        EXPECT_EQ(moat_task_spawn(NULL, sleeps_for, &times[i], NULL, NULL),
                  MOAT_OK);
    }
    EXPECT_EQ(moat_sleep(99 * 3600000 * MS), MOAT_OK);
    EXPECT_EQ(moat_now() - begin, 99 * 3600000 * MS);
    return NULL;
}

static void the_test_clock_jumps(const void *arg)
{
    (void)arg;
    (void)run(sleeps_in_order);
}

static void the_real_clock_runs(const void *arg)
{
    uint64_t ns = 3 * MS;
    uint64_t before = moat_now();

    (void)arg;
    (void)run_with(MOAT_CLOCK_REAL, sleeps_for, &ns, NULL);
    EXPECT(moat_now() >= before + ns);
}

static void *waits_too_long(void *arg)
{
    uint64_t ns = 10 * MS;
    moat_task *task = spawn(sleeps_for, &ns);
    moat_result result;

    EXPECT_EQ(moat_task_join(task, 0, &result), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_task_join(task, moat_now() + MS, &result), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_now(), MS);
    EXPECT_EQ(moat_task_join(task, moat_now() + 20 * MS, &result), MOAT_OK);
    EXPECT_EQ(moat_now(), 10 * MS);
    return arg;
}

static void a_join_has_a_deadline(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(waits_too_long).timeouts, 2); /* and the sleep */
}

#define SLEEPERS 2000

static unsigned woken;

static void *sleeps_often(void *arg)
{
    uint64_t ns = (uint64_t)(uintptr_t)arg * 7919 % 10007 * 1000 + 1;

    for (int i = 0; i < 10; i++)
        EXPECT_EQ(moat_sleep(ns), MOAT_OK);
    woken++;
    return NULL;
}

static void *starts_sleepers(void *arg)
{
    for (uintptr_t i = 0; i < SLEEPERS; i++)
        EXPECT_EQ(moat_task_spawn(NULL, sleeps_often, (void *)i, NULL, NULL),
                  MOAT_OK);
    return arg;
}

static void many_sleep_at_once(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(starts_sleepers).timeouts, 10 * SLEEPERS);
    EXPECT_EQ(woken, SLEEPERS);
}

/* ---- Options ------------------------------------------------------------- */

static void *is_named(void *arg)
{
    EXPECT_STR(moat_co_name(moat_co_current()), arg);
    return NULL;
}

static void *names_tasks(void *arg)
{
    static char names[100][24];

    (void)arg;
    for (int i = 0; i < 100; i++) {
        moat_task_options options = MOAT_TASK_OPTIONS_INIT;

        names[i][0] = 'n';
        names[i][1] = (char)('a' + i / 10);
        names[i][2] = (char)('0' + i % 10);
        options.name = names[i];
        options.stack_bytes = (size_t)(16 + i) << 10;
        EXPECT_EQ(moat_task_spawn(NULL, is_named, names[i], &options, NULL),
                  MOAT_OK);
        if (i % 3 == 0)
            moat_task_yield();
    }
    return NULL;
}

static void a_task_has_its_options(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(names_tasks).returned, 101);
}

static void *asks_for_the_wrong(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task = NULL;

    EXPECT_EQ(moat_task_spawn(NULL, NULL, NULL, NULL, &task), MOAT_E_INVAL);
    options.stack_bytes = 1;
    EXPECT_EQ(moat_task_spawn(NULL, echo, NULL, &options, &task), MOAT_E_INVAL);
    options.stack_bytes = 0;
    options.struct_size = 0;
    EXPECT_EQ(moat_task_spawn(NULL, echo, NULL, &options, &task), MOAT_E_INVAL);
    EXPECT(task == NULL);
    return arg;
}

static void wrong_options_are_refused(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    (void)arg;
    (void)run(asks_for_the_wrong);
    EXPECT_EQ(moat_sched_run(NULL, NULL, NULL, NULL), MOAT_E_INVAL);
    options.clock = (moat_clock)7;
    EXPECT_EQ(moat_sched_run(&options, echo, NULL, NULL), MOAT_E_INVAL);
    options.clock = MOAT_CLOCK_REAL;
    options.struct_size = 1;
    EXPECT_EQ(moat_sched_run(&options, echo, NULL, NULL), MOAT_E_INVAL);
}

/* ---- Misuse -------------------------------------------------------------- */

static void *asks_for_itself(void *arg)
{
    moat_task *other = spawn(echo, NULL);

    EXPECT_EQ(moat_task_join(moat_task_self(), NEVER, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_task_join(NULL, NEVER, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_task_cancel(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_sched_run(NULL, echo, NULL, NULL), MOAT_E_STATE);
    (void)join(other);
    return arg;
}

static void *calls_inside(moat_co *self, void *input)
{
    uint64_t item = 0;

    (void)self;
    EXPECT(moat_task_self() == NULL);
    EXPECT_EQ(moat_sleep(1), MOAT_E_STATE);
    EXPECT_EQ(moat_chan_recv(input, &item, NEVER), MOAT_E_STATE);
    EXPECT_EQ(moat_task_spawn(NULL, echo, NULL, NULL, NULL), MOAT_E_STATE);
    moat_task_yield();
    return input;
}

static void *resumes_another(void *arg)
{
    moat_chan *chan = chan_of(8, 1);
    moat_event event;
    moat_co *co;

    REQUIRE(moat_co_create(&co, calls_inside, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, chan, &event), MOAT_OK);
    EXPECT_EQ(event.kind, MOAT_EVENT_RETURN);
    moat_co_destroy(co);
    moat_chan_destroy(chan);
    return arg;
}

static void *calls_on_parent(void *arg)
{
    uint64_t item = 5;

    EXPECT(moat_task_self() == NULL);
    EXPECT_EQ(moat_sleep(1), MOAT_E_STATE);
    EXPECT_EQ(moat_chan_send(arg, &item, NEVER), MOAT_OK);
    EXPECT_EQ(moat_chan_send(arg, &item, NEVER), MOAT_E_STATE);
    return NULL;
}

static void *makes_a_host_call(void *arg)
{
    moat_chan *chan = chan_of(8, 1);

    (void)moat_call_on_parent(moat_co_current(), calls_on_parent, chan);
    EXPECT_EQ(recv_number(chan), 5);
    moat_chan_destroy(chan);
    return arg;
}

static void calls_from_elsewhere_are_refused(const void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_task_spawn(NULL, echo, NULL, NULL, NULL), MOAT_E_STATE);
    EXPECT_EQ(moat_sleep(1), MOAT_E_STATE);
    EXPECT_EQ(moat_dump_tasks(1), MOAT_E_STATE);
    moat_task_yield();
    (void)run(asks_for_itself);
    (void)run(resumes_another);
    (void)run(makes_a_host_call);
}

static moat_task *joined_twice;

static void *joins_the_same(void *arg)
{
    (void)arg;
    EXPECT_EQ(moat_task_join(joined_twice, NEVER, NULL), MOAT_E_STATE);
    return NULL;
}

static void *is_joined_twice(void *arg)
{
    uint64_t ns = MS;

    joined_twice = spawn(sleeps_for, &ns);
    (void)spawn(joins_the_same, NULL);
    (void)join(joined_twice);
    return arg;
}

static void a_task_has_one_joiner(const void *arg)
{
    (void)arg;
    (void)run(is_joined_twice);
}

/* ---- Coroutines of a task's own -------------------------------------------
 */

static void *yields_and_returns(moat_co *self, void *input)
{
    (void)moat_co_yield(self, NULL);
    return input;
}

static void *transfers(void *arg)
{
    moat_co *self = moat_co_current(), *other;
    void *input = NULL;

    REQUIRE(moat_co_create(&other, yields_and_returns, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_switch_to(self, other, numbers, &input), MOAT_OK);
    EXPECT(input == numbers);
    moat_co_destroy(other);
    (void)moat_co_yield(self, numbers);
    EXPECT_EQ(moat_sleep(1), MOAT_OK);
    return arg;
}

static void a_task_may_transfer_and_yield_by_itself(const void *arg)
{
    (void)arg;
    (void)run(transfers);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_task_returns_its_value_to_its_joiner),
        CHILD_CASE(the_first_task_returns_its_value_to_the_run),
        CHILD_CASE(tasks_go_on_after_the_first),
        CHILD_CASE(tasks_have_their_turns_in_order),
        CHILD_CASE(a_run_ends_with_its_last_task),
        CHILD_CASE(a_task_knows_itself),
        CHILD_CASE(the_test_clock_jumps),
        CHILD_CASE(the_real_clock_runs),
        CHILD_CASE(a_join_has_a_deadline),
        CHILD_CASE(many_sleep_at_once),
        CHILD_CASE(a_task_has_its_options),
        CHILD_CASE(wrong_options_are_refused),
        CHILD_CASE(calls_from_elsewhere_are_refused),
        CHILD_CASE(a_task_has_one_joiner),
        CHILD_CASE(a_task_may_transfer_and_yield_by_itself),
    };

    return child_cases_run("sched.task", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
