/*
 * test_runner.c: a coroutine that runs one task after another. What a task
 * leaves behind does not reach the next one; a joiner or a task that is stopped
 * between the two takes nothing else with it; and the others have their turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/steps.h"

#define JOINS 4

/* ---- Stopped at any instruction -------------------------------------------
 */

static bool victim_joins;
static volatile uint64_t begun, ended;
static moat_result last;

static void *returns_its_argument(void *arg)
{
    begun++;
    ended++;
    return arg;
}

/* Its end is stepped through. */
static void *is_stepped_at_its_end(void *arg)
{
    begun++;
    begin_steps();
    return arg;
}

static void *spawns_and_joins(void *arg)
{
    for (uintptr_t i = 1; i <= JOINS; i++) {
        moat_result result = join(spawn(returns_its_argument, (void *)i));

        EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
        EXPECT_EQ((uintptr_t)result.value, i);
    }
    return arg;
}

static void *is_stepped_at_its_joins(void *arg)
{
    begin_steps();
    (void)spawns_and_joins(arg);
    end_steps();
    return arg;
}

static void *joins_the_stepped(void *arg)
{
    for (uintptr_t i = 1; i <= JOINS; i++) {
        moat_result result = join(spawn(is_stepped_at_its_end, (void *)i));

        end_steps();
        EXPECT(result.kind == MOAT_EVENT_RETURN || stopped);
        if (result.kind == MOAT_EVENT_RETURN)
            EXPECT_EQ((uintptr_t)result.value, i);
        ended += result.kind == MOAT_EVENT_RETURN;
    }
    return arg;
}

/* Debug builds keep the memory of so many tasks that have ended from the next
 * ones, and the runners with it. */
#define MANY 1100

static void *joins_many(void *arg)
{
    for (int i = 0; i < MANY; i++)
        (void)join(spawn(returns_its_argument, NULL));
    return arg;
}

/* There are runners before the victim needs one, and others join after. */
static void *plays(void *arg)
{
    steps = 0;
    stopped = false;
    (void)joins_many(NULL);
    begun = ended = 0;
    last = join(spawn(
        victim_joins ? is_stepped_at_its_joins : joins_the_stepped, NULL));
    end_steps();
    (void)moat_sleep(MS); /* a task that nobody joins any more ends, too */
    EXPECT_EQ(begun, ended + (stopped && !victim_joins));
    (void)spawns_and_joins(NULL);
    return arg;
}

static void try_one(void)
{
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, stopped);
    EXPECT_EQ(last.kind,
              stopped && victim_joins ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
}

static void stop_at_all(bool joins)
{
    long count;

    victim_joins = joins;
    stop_at = 0;
    (void)run(plays);
    EXPECT_EQ(begun, JOINS + JOINS);
    count = steps;
    EXPECT(count > 100);
    (void)stop_everywhere(count, try_one);
}

static void a_join_or_an_end_may_be_stopped(const void *arg)
{
    (void)arg;
    /* Both steps are some hundred instructions long. */
    if (getenv("MOAT_TEST_EVERY") == NULL)
        REQUIRE(setenv("MOAT_TEST_EVERY", "127", 1) == 0);
    prepare_steps();
    stop_at_all(true);
    stop_at_all(false);
}

/* ---- One after another ----------------------------------------------------
 */

static moat_local local;
static unsigned destroyed, deferred;

static void count_destroyed(void *value)
{
    (void)value;
    destroyed++;
}

static void count_deferred(void *arg)
{
    (void)arg;
    deferred++;
}

static void *returns(void *arg)
{
    return arg;
}

static void *leaves_a_value(void *arg)
{
    EXPECT(moat_local_get(local) == NULL);
    EXPECT_EQ(moat_local_set(local, &local), MOAT_OK);
    return arg;
}

static void *defers(void *arg)
{
    EXPECT_EQ(moat_co_defer(moat_co_current(), count_deferred, NULL), MOAT_OK);
    return arg;
}

static void *leaves_a_section(void *arg)
{
    moat_notrap_enter();
    return arg;
}

static void *leaves_a_child(void *arg)
{
    moat_group *group = group_of(0);

    (void)spawn_in(group, returns, NULL);
    return arg;
}

static moat_mutex mutex;

static void *leaves_a_lock(void *arg)
{
    moat_status status = moat_mutex_lock(&mutex, NEVER);

    EXPECT(status == MOAT_OK || status == MOAT_E_OWNER_DIED);
    return arg;
}

static __attribute__((no_sanitize("undefined"))) void *faults(void *arg)
{
    *(volatile int *)NULL = 1;
    return arg;
}

static void *cancels_itself(void *arg)
{
    EXPECT_EQ(moat_task_cancel(moat_task_self()), MOAT_OK);
    return arg;
}

static void *waits_a_while(void *arg)
{
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    moat_task_yield();
    return arg;
}

/* The return address that is nearest to the stack's base, in the frame of the
 * library's first function there; NULL: it was not found. */
static uintptr_t *root_address(void)
{
    moat_frame frames[32];
    moat_stack_info info;
    size_t count = 0;

    REQUIRE(moat_stack_bounds(&info) == MOAT_OK);
    REQUIRE(moat_backtrace(frames, 32, &count) == MOAT_OK);
    for (uintptr_t *at = (uintptr_t *)info.base; (void *)--at > (void *)frames;)
        for (size_t i = 0; i < count; i++)
            if (*at != 0 && *at == frames[i].pc)
                return at;
    return NULL;
}

#if MOAT_SWITCH_PORTABLE
#    define NEEDS_ROOT "the frame is not the library's own"
#else
#    define NEEDS_ROOT NEEDS_STEPS
#endif

/* As a function that writes beyond its own array, and returns. */
static void *overwrites(void *arg)
{
    uintptr_t *address = root_address();

    REQUIRE(address != NULL);
    *address = 1;
    return arg;
}

/* Where the task's function runs: which of them share a coroutine? */
static void *tells_where(void *arg)
{
    *(moat_co **)arg = moat_co_current();
    return arg;
}

static void expect_each_alone(moat_task_fn fn, moat_event_kind kind)
{
    for (uintptr_t i = 0; i < 5; i++) {
        moat_result result = join(spawn(fn, (void *)i));

        EXPECT_EQ(result.kind, kind);
        if (kind == MOAT_EVENT_RETURN)
            EXPECT_EQ((uintptr_t)result.value, i);
        EXPECT_EQ((uintptr_t)join(spawn(returns, (void *)77)).value, 77);
    }
}

static void *runs_all_kinds(void *arg)
{
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;

    options.destroy = count_destroyed;
    EXPECT_EQ(moat_local_create(&local, &options), MOAT_OK);
    EXPECT_EQ(moat_mutex_init(&mutex), MOAT_OK);
    expect_each_alone(returns, MOAT_EVENT_RETURN);
    expect_each_alone(leaves_a_value, MOAT_EVENT_RETURN);
    EXPECT_EQ(destroyed, 5);
    expect_each_alone(defers, MOAT_EVENT_RETURN);
    EXPECT_EQ(deferred, 5);
    expect_each_alone(leaves_a_section, MOAT_EVENT_RETURN);
    expect_each_alone(leaves_a_child, MOAT_EVENT_RETURN);
    expect_each_alone(leaves_a_lock, MOAT_EVENT_RETURN);
    expect_each_alone(faults, MOAT_EVENT_TRAP);
    expect_each_alone(cancels_itself, MOAT_EVENT_CANCELLED);
    expect_each_alone(waits_a_while, MOAT_EVENT_RETURN);
    moat_mutex_destroy(&mutex);
    EXPECT_EQ(moat_local_delete(local), MOAT_OK);
    return arg;
}

static void nothing_reaches_the_next_task(const void *arg)
{
    moat_sched_stats stats;

    (void)arg;
    stats = run(runs_all_kinds);
    EXPECT_EQ(stats.trapped, 5);
    EXPECT_EQ(stats.cancelled, 5 + 5); /* with the children that were left */
    EXPECT_EQ(stats.spawned, 1 + 2 * 5 * 9 + 5);
}

static void *compares_places(void *arg)
{
    moat_co *first = NULL, *other = NULL;
    int tries = 0;

    (void)join(spawn(tells_where, &first));
    EXPECT(first != NULL);
    while (other != first && tries++ < 2 * MANY)
        (void)join(spawn(tells_where, &other));
    EXPECT(other == first);
    return arg;
}

static void tasks_share_a_coroutine(const void *arg)
{
    (void)arg;
    (void)run(compares_places);
}

static void *joins_a_vandal(void *arg)
{
    (void)joins_many(NULL);
    EXPECT_EQ(join(spawn(overwrites, NULL)).kind, MOAT_EVENT_TRAP);
    (void)joins_many(NULL);
    return arg;
}

/* What it has overwritten is its own fault, not that of the next task there. */
static void the_one_that_overwrites_traps(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(joins_a_vandal).trapped, 1);
}

/* ---- With others ----------------------------------------------------------
 */

static void *fibonacci(void *arg)
{
    uintptr_t number = (uintptr_t)arg;
    moat_task *task;
    uintptr_t sum;

    if (number < 2)
        return arg;
    task = spawn(fibonacci, (void *)(number - 1));
    sum = (uintptr_t)join(spawn(fibonacci, (void *)(number - 2))).value;
    return (void *)(sum + (uintptr_t)join(task).value);
}

/* More of them wait at a time than a worker keeps runners. */
static void *is_deep(void *arg)
{
    uintptr_t depth = (uintptr_t)arg;

    return depth == 0
               ? arg
               : (void *)((uintptr_t)join(spawn(is_deep, (void *)(depth - 1)))
                              .value +
                          1);
}

static void *counts_down(void *arg)
{
    EXPECT_EQ((uintptr_t)fibonacci((void *)15), 610);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ((uintptr_t)is_deep((void *)100), 100);
    return arg;
}

static void a_tree_of_joins_has_its_sum(const void *arg)
{
    (void)arg;
    (void)run(counts_down);
}

static volatile bool over;
static volatile uint64_t joined;

static void *joins_until_over(void *arg)
{
    while (!over) {
        (void)join(spawn(returns, NULL));
        joined++;
    }
    return arg;
}

#define TURNS_BETWEEN 200

static void *takes_turns(void *arg)
{
    moat_task *joiner;

    over = false;
    joined = 0;
    joiner = spawn(joins_until_over, NULL);
    for (int i = 0; i < 100; i++) {
        uint64_t before = joined;

        moat_task_yield();
        EXPECT(joined - before <= TURNS_BETWEEN);
    }
    EXPECT(joined > 100);
    over = true;
    EXPECT_EQ(join(joiner).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void joins_let_others_run(const void *arg)
{
    (void)arg;
    (void)run(takes_turns);
}

static void *sleeps_beside(void *arg)
{
    moat_task *joiner;

    over = false;
    joiner = spawn(joins_until_over, NULL);
    EXPECT_EQ(moat_sleep(2 * MS), MOAT_OK);
    over = true;
    EXPECT_EQ(join(joiner).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void joins_let_time_pass(const void *arg)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};

    (void)arg;
    (void)run_with(MOAT_CLOCK_REAL, sleeps_beside, NULL, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
}

/* A joiner that is cancelled while its task has its turn. */
static void *cancels_its_joiner(void *arg)
{
    EXPECT_EQ(moat_task_cancel(arg), MOAT_OK);
    moat_task_yield();
    joined++;
    return arg;
}

static void *joins_its_canceller(void *arg)
{
    (void)join(spawn(cancels_its_joiner, moat_task_self()));
    EXPECT(false); /* not reached */
    return arg;
}

static void *is_left(void *arg)
{
    joined = 0;
    for (int i = 0; i < 5; i++)
        (void)join(spawn(returns, NULL));
    EXPECT_EQ(join(spawn(joins_its_canceller, NULL)).kind,
              MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(joined, 1);
    for (int i = 0; i < 5; i++)
        (void)join(spawn(returns, NULL));
    return arg;
}

static void a_joiner_may_be_cancelled(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(is_left).cancelled, 1);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_join_or_an_end_may_be_stopped", a_join_or_an_end_may_be_stopped,
         NULL, NEEDS_STEPS, 0, 0},
        {"nothing_reaches_the_next_task", nothing_reaches_the_next_task, NULL,
         NULL, 0, 0},
        {"the_one_that_overwrites_traps", the_one_that_overwrites_traps, NULL,
         NEEDS_ROOT, 0, 0},
        {"tasks_share_a_coroutine", tasks_share_a_coroutine, NULL, NEEDS_STEPS,
         0, 0},
        {"a_tree_of_joins_has_its_sum", a_tree_of_joins_has_its_sum, NULL, NULL,
         0, 0},
        {"joins_let_others_run", joins_let_others_run, NULL, NULL, 0, 0},
        {"joins_let_time_pass", joins_let_time_pass, NULL, NULL, 0, 0},
        {"a_joiner_may_be_cancelled", a_joiner_may_be_cancelled, NULL, NULL, 0,
         0},
    };

    return child_cases_run("sched.runner", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
