/*
 * test_stop_supervisor.c: a task may be stopped at any instruction while it
 * supervises, spawns with local values, or waits in the body of a generator:
 * its children end, and the supervisor can be used again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/generators.h"
#include "sched/locks.h"
#include "sched/steps.h"

static moat_supervisor *supervisor;
static moat_local key;
static moat_gen *generator;
static int values, crashes, up;

/* ---- The play ---- */

static void drop_value(void *value)
{
    (void)value;
    values--;
}

static void *share_value(void *value)
{
    values++;
    return value;
}

static void go_down(const int *unused)
{
    (void)unused;
    up--;
}

__attribute__((noinline, no_sanitize("undefined"))) static void fault(void)
{
    *nowhere = 1;
}

static void *is_a_child(void *arg)
{
    __attribute__((cleanup(go_down), unused)) int here = up++;

    (void)moat_sleep(arg != NULL ? MS : 3 * MS);
    if (arg != NULL && crashes-- > 0) {
        up--;
        fault();
    }
    return NULL;
}

static void hear(void *arg, const moat_supervisor_event *event)
{
    (void)arg;
    (void)event;
}

static void wait_twice(moat_gen *gen, void *arg)
{
    (void)moat_sleep(MS);
    moat_gen_yield(gen, arg);
    moat_task_yield();
}

static void destroy_generator(void *arg)
{
    (void)arg;
    moat_gen_destroy(generator);
    generator = NULL;
}

static void use_all(void)
{
    moat_child_info info = MOAT_CHILD_INFO_INIT;
    moat_child_id id = moat_supervisor_next_child(supervisor, 0);
    moat_local other = {0, 0};
    void *item;

    (void)moat_local_set(key, &values);
    (void)!moat_local_create(&other, NULL);
    (void)moat_local_set(other, &values);
    (void)moat_local_delete(other);
    (void)!moat_supervisor_get_child(supervisor, id, &info);
    (void)!moat_supervisor_run(supervisor);
    while (generator != NULL && moat_gen_next(generator, &item))
        ;
}

static void *is_stepped(void *arg)
{
    generator = make(wait_twice, NULL);
    EXPECT_EQ(moat_co_defer(moat_co_current(), destroy_generator, NULL),
              MOAT_OK);
    begin_steps();
    use_all();
    end_steps();
    return arg;
}

static moat_event_kind last;

static void *plays(void *arg)
{
    moat_task *victim;

    steps = 0;
    stopped = false;
    crashes = 1;
    values = up = 0;
    victim = spawn(is_stepped, NULL);
    last = join(victim).kind;
    stepped = NULL;
    /* Whatever it had begun has ended before it. */
    EXPECT_EQ(up, 0);
    /* The task's own value was not counted. 0: it was stopped before it had
     * one, or before it had passed on one that it had counted. */
    EXPECT(values == -1 || values == 0);
    return arg;
}

static void try_one(void)
{
    moat_supervisor_info info = MOAT_SUPERVISOR_INFO_INIT;
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(last, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_supervisor_get_info(supervisor, &info), MOAT_OK);
    EXPECT_EQ(info.up, 0);
    EXPECT_EQ(info.children, 3);
}

static void a_supervisor_may_be_stopped_at_any_instruction(const void *arg)
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;
    moat_local_options local = MOAT_LOCAL_OPTIONS_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    long count;

    (void)arg;
    prepare_steps();
    local.destroy = drop_value;
    local.inherit = share_value;
    EXPECT_EQ(moat_local_create(&key, &local), MOAT_OK);
    options.strategy = MOAT_REST_FOR_ONE;
    options.report = hear;
    EXPECT_EQ(moat_supervisor_create(&supervisor, &options), MOAT_OK);
    spec.fn = is_a_child;
    spec.restart = MOAT_RESTART_TRANSIENT;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_OK);
    spec.arg = &values;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_OK);
    spec.arg = NULL;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_OK);
    (void)run(plays);
    EXPECT_EQ(last, MOAT_EVENT_RETURN);
    count = steps;
    EXPECT(count > 1000);
    (void)stop_everywhere(count, try_one);
    moat_supervisor_destroy(supervisor);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_supervisor_may_be_stopped_at_any_instruction",
         a_supervisor_may_be_stopped_at_any_instruction, NULL, NEEDS_STEPS, 0,
         0},
    };

    return child_cases_run("sched.stop_supervisor", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
