/*
 * test_supervisor.c: supervisors: which children start again, when, and in what
 * order they stop.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/locks.h"

#define SECOND (1000 * MS)

__attribute__((noinline,
               no_sanitize("address", "thread", "undefined"))) static void
fault(void)
{
    *nowhere = 1;
}

/* ---- Children --------------------------------------------------------------
 * Each notes its letter when it starts, and in lower case when it ends. */

static void note_end(const char *letter)
{
    note((char)(*letter + 'a' - 'A'));
}

#define NOTED(arg)                                           \
    __attribute__((cleanup(note_end), unused)) char letter = \
        *(const char *)(arg);                                \
    note(letter)

static void *waits(void *arg)
{
    NOTED(arg);

    EXPECT_EQ(moat_sleep(NEVER - 1), MOAT_OK);
    return NULL;
}

static void *returns(void *arg)
{
    NOTED(arg);

    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    return NULL;
}

/* Traps after a millisecond, without a note of its end: a trap unwinds
 * nothing. */
static void *traps(void *arg)
{
    note(*(const char *)arg);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    fault();
    return NULL;
}

static int lives; /* the next ones trap */

static void *traps_at_first(void *arg)
{
    NOTED(arg);

    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    if (lives-- > 0)
        fault();
    EXPECT_EQ(moat_sleep(NEVER - 1), MOAT_OK);
    return NULL;
}

/* ---- Supervisors ---- */

static moat_supervisor *supervisor;
static moat_supervisor_event events[64];
static unsigned event_count;

static void record(void *arg, const moat_supervisor_event *event)
{
    (void)arg;
    REQUIRE(event_count < 64);
    events[event_count++] = *event;
}

static moat_supervisor_options options_of(moat_strategy strategy,
                                          unsigned flags)
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;

    options.name = "test";
    options.strategy = strategy;
    options.flags = flags;
    options.report = record;
    return options;
}

static moat_supervisor *make_with(const moat_supervisor_options *options)
{
    moat_supervisor *made = NULL;

    event_count = 0;
    memset(order, 0, sizeof order);
    REQUIRE(moat_supervisor_create(&made, options) == MOAT_OK);
    return made;
}

static moat_supervisor *make(moat_strategy strategy, unsigned flags)
{
    moat_supervisor_options options = options_of(strategy, flags);

    return make_with(&options);
}

static moat_child_id add_with(moat_child_spec *spec, moat_task_fn fn,
                              const char *letter, moat_restart restart)
{
    moat_child_id id = 0;

    spec->name = letter;
    spec->fn = fn;
    spec->arg = (void *)(uintptr_t)letter;
    spec->restart = restart;
    EXPECT_EQ(moat_supervisor_add(supervisor, spec, &id), MOAT_OK);
    return id;
}

static moat_child_id add(moat_task_fn fn, const char *letter,
                         moat_restart restart)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;

    return add_with(&spec, fn, letter, restart);
}

static moat_child_info info_of(moat_child_id id)
{
    moat_child_info info = MOAT_CHILD_INFO_INIT;

    EXPECT_EQ(moat_supervisor_get_child(supervisor, id, &info), MOAT_OK);
    return info;
}

static moat_supervisor_info info(void)
{
    moat_supervisor_info out = MOAT_SUPERVISOR_INFO_INIT;

    EXPECT_EQ(moat_supervisor_get_info(supervisor, &out), MOAT_OK);
    return out;
}

/* Lets the supervisor run for some time, and ends it. Returns its result. */
static moat_result run_for(uint64_t ns)
{
    moat_task *task = spawn(moat_supervisor_task, supervisor);

    EXPECT_EQ(moat_sleep(ns), MOAT_OK);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    return join(task);
}

/* The notes that are among these letters: what happens at the same time has no
 * order. */
static const char *notes_of(const char *letters)
{
    static char some[sizeof order];
    size_t count = 0;

    for (const char *at = order; *at != '\0'; at++)
        if (strchr(letters, *at) != NULL)
            some[count++] = *at;
    some[count] = '\0';
    return some;
}

/* ---- Policies ---- */

static void *has_policies(void *arg)
{
    moat_child_id ids[5];

    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    ids[0] = add(returns, "A", MOAT_RESTART_TRANSIENT);
    ids[1] = add(returns, "B", MOAT_RESTART_TEMPORARY);
    ids[2] = add(traps, "C", MOAT_RESTART_TEMPORARY);
    EXPECT_EQ(info_of(ids[0]).state, MOAT_CHILD_IDLE);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_OK);
    EXPECT_STR(notes_of("ABC"), "ABC");
    EXPECT_STR(notes_of("Aa"), "Aa");
    EXPECT_STR(notes_of("Bb"), "Bb");
    EXPECT_EQ(event_count, 1);
    EXPECT_EQ(events[0].kind, MOAT_SUPERVISOR_CHILD_FAILED);
    EXPECT_EQ(events[0].child, ids[2]);
    EXPECT_STR(events[0].name, "C");
    EXPECT_EQ(events[0].result.trap.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(events[0].restart_at, NEVER);
    EXPECT_EQ(info_of(ids[0]).state, MOAT_CHILD_FINISHED);
    EXPECT_EQ(info_of(ids[0]).returned, 1);
    EXPECT_EQ(info_of(ids[2]).trapped, 1);
    EXPECT_EQ(info_of(ids[2]).last_failure.trap.kind, MOAT_TRAP_NULL);
    EXPECT_EQ(info_of(ids[2]).failed_at, MS);
    EXPECT_EQ(info().failures, 1);
    EXPECT_EQ(info().restarts, 0);
    /* It can run again; now with those that are restarted. */
    memset(order, 0, sizeof order);
    lives = 2;
    ids[3] = add(traps_at_first, "D", MOAT_RESTART_TRANSIENT);
    EXPECT_EQ(run_for(10 * MS).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(notes_of("ABCa"), "ABCa");
    EXPECT_STR(notes_of("Bb"), "Bb");
    EXPECT_STR(notes_of("Dd"), "DDDd");
    EXPECT_EQ(info_of(ids[3]).starts, 3);
    EXPECT_EQ(info_of(ids[3]).trapped, 2);
    EXPECT_EQ(info_of(ids[3]).cancelled, 1);
    EXPECT_EQ(info_of(ids[3]).last_failure.kind, MOAT_EVENT_TRAP);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void *has_a_permanent_child(void *arg)
{
    moat_child_id id;

    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    id = add(returns, "A", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_RESTARTS);
    EXPECT_STR(order, "AaAaAaAa"); /* three restarts in five seconds */
    EXPECT_EQ(info_of(id).starts, 4);
    EXPECT_EQ(info().failures, 0);
    EXPECT_EQ(info().restarts, 3);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static moat_task *a_child;

static void *shows_itself(void *arg)
{
    a_child = moat_task_self();
    return waits(arg);
}

/* A child that another task cancels has failed. */
static void *cancels_a_child(void *arg)
{
    moat_task *task;

    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    (void)add(shows_itself, "A", MOAT_RESTART_TRANSIENT);
    task = spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(a_child), MOAT_OK);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_STR(order, "AaA");
    EXPECT_EQ(event_count, 1);
    EXPECT_EQ(events[0].result.kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event_count, 1);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void a_policy_says_who_starts_again(const void *arg)
{
    (void)arg;
    (void)run(has_policies);
    (void)run(has_a_permanent_child);
    (void)run(cancels_a_child);
}

/* ---- Strategies ---- */

static void try_strategy(moat_strategy strategy, const char *expected)
{
    supervisor = make(strategy, 0);
    lives = 1;
    (void)add(waits, "A", MOAT_RESTART_PERMANENT);
    (void)add(waits, "B", MOAT_RESTART_TRANSIENT);
    (void)add(traps_at_first, "C", MOAT_RESTART_PERMANENT);
    (void)add(waits, "D", MOAT_RESTART_PERMANENT);
    (void)add(waits, "E", MOAT_RESTART_TEMPORARY);
    EXPECT_EQ(run_for(10 * MS).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, expected);
    EXPECT_EQ(info().restarts, 1);
    moat_supervisor_destroy(supervisor);
}

static void *tries_strategies(void *arg)
{
    try_strategy(MOAT_ONE_FOR_ONE, "ABCDECedcba");
    try_strategy(MOAT_ONE_FOR_ALL, "ABCDEedbaABCDdcba");
    try_strategy(MOAT_REST_FOR_ONE, "ABCDEedCDdcba");
    return arg;
}

static void a_strategy_says_who_starts_with_it(const void *arg)
{
    (void)arg;
    (void)run(tries_strategies);
}

/* ---- Back-off ---- */

static uint64_t starts[32];
static unsigned start_count;

static void *notes_its_start(void *arg)
{
    if (start_count < 32)
        starts[start_count++] = moat_now();
    fault();
    return arg;
}

static void back_off(unsigned jitter, uint64_t seed)
{
    moat_supervisor_options options = options_of(MOAT_ONE_FOR_ONE, 0);

    options.intensity = 10;
    options.period_ns = 3600 * SECOND;
    options.backoff_ns = 100 * MS;
    options.backoff_max_ns = SECOND;
    options.jitter_percent = jitter;
    options.seed = seed;
    supervisor = make_with(&options);
    start_count = 0;
    (void)add(notes_its_start, "A", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_RESTARTS);
    EXPECT_EQ(start_count, 11);
    moat_supervisor_destroy(supervisor);
}

static void *backs_off(void *arg)
{
    static const uint64_t delays[] = {100, 200, 400, 800, 1000, 1000, 1000};
    uint64_t first[11];
    unsigned same = 0;

    back_off(0, 0);
    for (unsigned i = 0; i < 7; i++)
        EXPECT_EQ(starts[i + 1] - starts[i], delays[i] * MS);
    back_off(30, 1);
    for (unsigned i = 0; i < 7; i++) {
        EXPECT(starts[i + 1] - starts[i] <= delays[i] * MS);
        EXPECT(starts[i + 1] - starts[i] >= delays[i] * MS * 7 / 10);
    }
    for (unsigned i = 10; i > 0; i--)
        first[i] = starts[i] - starts[i - 1];
    back_off(30, 1); /* the same again */
    for (unsigned i = 1; i < 11; i++)
        EXPECT_EQ(starts[i] - starts[i - 1], first[i]);
    back_off(30, 2);
    for (unsigned i = 1; i < 11; i++)
        same += starts[i] - starts[i - 1] == first[i];
    EXPECT(same < 3);
    return arg;
}

/* Runs for a time before it traps. */
static void *runs_and_traps(void *arg)
{
    starts[start_count++] = moat_now();
    EXPECT_EQ(moat_sleep(start_count == 4 ? 6 * SECOND : MS), MOAT_OK);
    if (start_count == 7)
        return arg;
    fault();
    return arg;
}

static void *begins_a_new_row(void *arg)
{
    moat_supervisor_options options = options_of(MOAT_ONE_FOR_ONE, 0);

    options.backoff_ns = 10 * MS;
    supervisor = make_with(&options);
    start_count = 0;
    (void)add(runs_and_traps, "A", MOAT_RESTART_TRANSIENT);
    /* Three restarts, a long run, three more: never four in a period. */
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_OK);
    EXPECT_EQ(start_count, 7);
    EXPECT_EQ(starts[3] - starts[2], 41 * MS);
    EXPECT_EQ(starts[4] - starts[3], 6 * SECOND + 10 * MS);
    EXPECT_EQ(starts[5] - starts[4], 21 * MS);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void restarts_are_delayed(const void *arg)
{
    (void)arg;
    (void)run(backs_off);
    (void)run(begins_a_new_row);
}

/* ---- Too many ---- */

static void *fails_closed(void *arg)
{
    moat_group *group = group_of(MOAT_GROUP_FAIL_FAST);
    moat_result failure;
    moat_task *other = spawn_in(group, waits, (void *)(uintptr_t) "Z");

    moat_task_yield();
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    (void)add(waits, "A", MOAT_RESTART_PERMANENT);
    (void)add(traps, "B", MOAT_RESTART_PERMANENT);
    (void)add(waits, "C", MOAT_RESTART_PERMANENT);
    (void)spawn_in(group, moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_group_wait(group, NEVER, &failure), MOAT_OK);
    EXPECT_STR(order, "ABCBBBcaz");
    EXPECT_EQ(failure.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(failure.trap.kind, MOAT_TRAP_RAISED);
    EXPECT_EQ(failure.trap.user_code, MOAT_E_RESTARTS);
    EXPECT_EQ(join(other).kind, MOAT_EVENT_CANCELLED);
    EXPECT_EQ(event_count, 4);
    EXPECT_EQ(events[3].kind, MOAT_SUPERVISOR_GIVES_UP);
    EXPECT_STR(events[3].name, "B");
    EXPECT_EQ(events[3].result.trap.kind, MOAT_TRAP_NULL);
    moat_group_close(group);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void *fails_open(void *arg)
{
    moat_child_id ids[3];
    moat_task *task;

    supervisor = make(MOAT_ONE_FOR_ONE, MOAT_SUPERVISOR_FAIL_OPEN);
    ids[0] = add(waits, "A", MOAT_RESTART_PERMANENT);
    ids[1] = add(traps, "B", MOAT_RESTART_PERMANENT);
    lives = 3;
    ids[2] = add(traps_at_first, "C", MOAT_RESTART_PERMANENT);
    task = spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(SECOND), MOAT_OK);
    EXPECT_STR(notes_of("AB"), "ABBBB");
    EXPECT_STR(notes_of("AC"), "ACCCC");
    EXPECT_EQ(info_of(ids[0]).state, MOAT_CHILD_UP);
    EXPECT_EQ(info_of(ids[1]).state, MOAT_CHILD_GIVEN_UP);
    EXPECT_EQ(info_of(ids[2]).state, MOAT_CHILD_UP);
    EXPECT_EQ(info().up, 2);
    EXPECT_EQ(info().given_up, 1);
    EXPECT_EQ(events[event_count - 1].kind, MOAT_SUPERVISOR_CHILD_GIVEN_UP);
    EXPECT_EQ(events[event_count - 1].child, ids[1]);
    /* It may be tried again. */
    EXPECT_EQ(moat_supervisor_start_child(supervisor, ids[0]), MOAT_E_STATE);
    EXPECT_EQ(moat_supervisor_start_child(supervisor, ids[1]), MOAT_OK);
    EXPECT_EQ(moat_sleep(SECOND), MOAT_OK);
    EXPECT_EQ(info_of(ids[1]).starts, 8);
    EXPECT_EQ(info_of(ids[1]).state, MOAT_CHILD_GIVEN_UP);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void too_many_restarts_are_a_failure(const void *arg)
{
    (void)arg;
    (void)run(fails_closed);
    (void)run(fails_open);
}

/* ---- In words ---- */

static void *reports_in_words(void *arg)
{
    moat_supervisor_options options = options_of(MOAT_ONE_FOR_ONE, 0);

    options.report = NULL;
    options.intensity = 1;
    options.backoff_ns = 250 * MS;
    supervisor = make_with(&options);
    (void)add(traps, "B", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_RESTARTS);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void events_are_written(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    FILE *report = tmpfile();
    char line[200];

    (void)arg;
    REQUIRE(report != NULL);
    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = fileno(report);
    EXPECT_EQ(moat_sched_run(&options, reports_in_words, NULL, NULL), MOAT_OK);
    rewind(report);
    REQUIRE(fgets(line, sizeof line, report) != NULL);
    EXPECT_STR(line, "moat-sched: supervisor 'test': child 1 'B' has ended: "
                     "null pointer access; starts again in 0.250 s\n");
    REQUIRE(fgets(line, sizeof line, report) != NULL);
    EXPECT_STR(line, "moat-sched: supervisor 'test': child 1 'B' has ended: "
                     "null pointer access; too many restarts: all children "
                     "are stopped\n");
    EXPECT(fgets(line, sizeof line, report) == NULL);
    (void)fclose(report);
}

/* ---- Stop ---- */

static moat_chan *jobs;

static void *works_until_closed(void *arg)
{
    NOTED(arg);
    uint64_t job;

    while (moat_chan_recv(jobs, &job, NEVER) == MOAT_OK)
        ;
    EXPECT_EQ(moat_sleep(2 * MS), MOAT_OK);
    note('!');
    return NULL;
}

static void close_jobs(void *arg)
{
    (void)arg;
    note('?');
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, 1, NEVER), MOAT_E_TIMEOUT);
    moat_chan_close(jobs);
}

static void do_nothing(void *arg)
{
    (void)arg;
    note('-');
}

static void *stops_politely(void *arg)
{
    moat_child_spec polite = MOAT_CHILD_SPEC_INIT;
    moat_child_spec deaf = MOAT_CHILD_SPEC_INIT;
    moat_child_id ids[2];
    uint64_t begun;

    jobs = chan_of(8, 0);
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    (void)add(waits, "A", MOAT_RESTART_PERMANENT);
    polite.stop = close_jobs;
    ids[0] = add_with(&polite, works_until_closed, "B", MOAT_RESTART_PERMANENT);
    deaf.stop = do_nothing;
    deaf.stop_ns = 30 * MS;
    ids[1] = add_with(&deaf, waits, "C", MOAT_RESTART_PERMANENT);
    begun = moat_now();
    EXPECT_EQ(run_for(10 * MS).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "ABC-c?!ba");
    EXPECT_EQ(moat_now() - begun, 42 * MS);
    EXPECT_EQ(info_of(ids[0]).returned, 1);
    EXPECT_EQ(info_of(ids[1]).cancelled, 1);
    EXPECT_EQ(info_of(ids[1]).last_failure.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(event_count, 0);
    moat_supervisor_destroy(supervisor);
    moat_chan_destroy(jobs);
    return arg;
}

static bool released;

static void cleans_up_for_long(const int *unused)
{
    (void)unused;
    while (!released)
        moat_task_yield();
    note('c');
}

static void *gets_stuck(void *arg)
{
    __attribute__((cleanup(cleans_up_for_long), unused)) int here = 0;

    note(*(const char *)arg);
    EXPECT_EQ(moat_sleep(NEVER - 1), MOAT_OK);
    return NULL;
}

static void release(const char *letter)
{
    note_end(letter);
    released = true;
}

static void *releases(void *arg)
{
    __attribute__((cleanup(release), unused)) char letter = *(const char *)arg;

    note(letter);
    (void)moat_sleep(NEVER - 1);
    return NULL;
}

static void *stops_a_stuck_child(void *arg)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;

    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    released = false;
    (void)add(releases, "A", MOAT_RESTART_PERMANENT);
    (void)add(waits, "B", MOAT_RESTART_PERMANENT);
    spec.stop_ns = MS;
    (void)add_with(&spec, gets_stuck, "C", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(run_for(MS).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "ABCbac");
    EXPECT_EQ(event_count, 1);
    EXPECT_EQ(events[0].kind, MOAT_SUPERVISOR_CHILD_STUCK);
    EXPECT_STR(events[0].name, "C");
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void children_stop_last_to_first(const void *arg)
{
    (void)arg;
    (void)run(stops_politely);
    /* While a task can run the test's clock stands still. */
    (void)run_with(MOAT_CLOCK_REAL, stops_a_stuck_child, NULL, NULL);
}

/* ---- The supervisor's own end ---- */

static void faults_in_a_report(void *arg, const moat_supervisor_event *event)
{
    (void)arg;
    (void)event;
    note('*');
    fault();
}

static void add_four(moat_task_fn third)
{
    (void)add(waits, "A", MOAT_RESTART_PERMANENT);
    (void)add(waits, "B", MOAT_RESTART_PERMANENT);
    (void)add(third, "C", MOAT_RESTART_PERMANENT);
    (void)add(waits, "D", MOAT_RESTART_PERMANENT);
}

static void *ends_with_its_supervisor(void *arg)
{
    moat_supervisor_options options = options_of(MOAT_ONE_FOR_ONE, 0);
    moat_result result;
    moat_task *task;

    options.report = faults_in_a_report;
    supervisor = make_with(&options);
    add_four(traps);
    result = join(spawn(moat_supervisor_task, supervisor));
    EXPECT_EQ(result.kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(result.trap.kind, MOAT_TRAP_NULL);
    EXPECT_STR(order, "ABCD*dba");
    EXPECT_EQ(info().up, 0);
    /* It can be used again. */
    memset(order, 0, sizeof order);
    task = spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(MS / 2), MOAT_OK);
    EXPECT_STR(order, "ABCD");
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    EXPECT_STR(order, "ABCDdba"); /* C notes no end */
    moat_supervisor_destroy(supervisor);
    return arg;
}

/* A child whose cleanup takes time is awaited before the one before it is
 * cancelled. */
static void takes_time(const char *letter)
{
    for (int i = 0; i < 10; i++)
        moat_task_yield();
    note_end(letter);
}

static void *ends_slowly(void *arg)
{
    __attribute__((cleanup(takes_time), unused)) char letter =
        *(const char *)arg;

    note(letter);
    (void)moat_sleep(NEVER - 1);
    return NULL;
}

static void *cancels_slow_children(void *arg)
{
    static const char letters[][2] = {"A", "B", "C", "D", "E", "F", "G", "H"};
    moat_task *task;

    supervisor = make(MOAT_ONE_FOR_ALL, 0);
    for (int i = 0; i < 8; i++)
        (void)add(ends_slowly, letters[i], MOAT_RESTART_PERMANENT);
    task = spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
    (void)join(task);
    EXPECT_STR(order, "ABCDEFGHhgfedcba");
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void a_supervisor_takes_its_children_down(const void *arg)
{
    (void)arg;
    (void)run(ends_with_its_supervisor);
    (void)run(cancels_slow_children);
}

/* ---- Nested ---- */

static moat_supervisor *inner;

static void stop_inner(void *arg)
{
    note('?');
    EXPECT_EQ(moat_supervisor_stop(arg), MOAT_OK);
}

static void *nests(void *arg)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_result result;

    supervisor = inner = make(MOAT_ONE_FOR_ALL, 0);
    lives = 5; /* four end the inner one, which starts again */
    (void)add(waits, "X", MOAT_RESTART_PERMANENT);
    (void)add(traps_at_first, "Y", MOAT_RESTART_PERMANENT);
    supervisor = make(MOAT_REST_FOR_ONE, 0);
    (void)add(waits, "A", MOAT_RESTART_PERMANENT);
    spec.fn = moat_supervisor_task;
    spec.arg = inner;
    spec.stop = stop_inner;
    spec.name = "inner";
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_OK);
    (void)add(waits, "B", MOAT_RESTART_PERMANENT);
    result = run_for(SECOND);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    /* The two supervisors take turns: only the order of each is known. */
    EXPECT_STR(notes_of("XxYy"), "XYxXYxXYxXYxXYxXYyx");
    EXPECT_STR(notes_of("AaBb?y"), "ABbBb?ya");
    EXPECT_EQ(info().restarts, 1);
    moat_supervisor_destroy(supervisor);
    moat_supervisor_destroy(inner);
    return arg;
}

static void supervisors_nest(const void *arg)
{
    (void)arg;
    (void)run(nests);
}

/* ---- At run time ---- */

static void *changes_children(void *arg)
{
    moat_child_spec forgotten = MOAT_CHILD_SPEC_INIT;
    moat_child_id a, b, c;
    moat_task *task;

    supervisor = make(MOAT_ONE_FOR_ONE, MOAT_SUPERVISOR_STAY);
    task = spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    a = add(waits, "A", MOAT_RESTART_PERMANENT);
    b = add(waits, "B", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(info_of(a).state, MOAT_CHILD_WAITING);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(info_of(a).state, MOAT_CHILD_UP);
    EXPECT_EQ(moat_supervisor_remove_child(supervisor, a), MOAT_E_STATE);
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, a, NEVER), MOAT_OK);
    EXPECT_STR(order, "ABa");
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, a, NEVER), MOAT_OK);
    EXPECT_EQ(moat_sleep(SECOND), MOAT_OK);
    EXPECT_EQ(info_of(a).state, MOAT_CHILD_STOPPED);
    EXPECT_EQ(moat_supervisor_start_child(supervisor, a), MOAT_OK);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_STR(order, "ABaA");
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, a, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(info_of(a).state, MOAT_CHILD_STOPPING);
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    EXPECT_EQ(moat_supervisor_remove_child(supervisor, a), MOAT_OK);
    EXPECT_EQ(moat_supervisor_remove_child(supervisor, a), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_next_child(supervisor, 0), b);
    EXPECT_EQ(moat_supervisor_next_child(supervisor, b), 0);
    EXPECT_EQ(moat_supervisor_next_child(supervisor, a), 0);
    forgotten.flags = MOAT_CHILD_FORGET;
    c = add_with(&forgotten, returns, "C", MOAT_RESTART_TEMPORARY);
    EXPECT_EQ(moat_supervisor_next_child(supervisor, b), c);
    EXPECT_EQ(moat_sleep(10 * MS), MOAT_OK);
    EXPECT_EQ(info().children, 1);
    moat_supervisor_destroy(supervisor); /* not while it runs */
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_STATE);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    EXPECT_EQ(moat_supervisor_add(supervisor, &forgotten, NULL),
              MOAT_E_CANCELLED);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "ABaAaCcb");
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void *stops_itself(void *arg)
{
    moat_child_id id = moat_supervisor_next_child(supervisor, 0);

    (void)arg;
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, id, NEVER), MOAT_E_STATE);
    return NULL;
}

static void *has_a_child_that_stops_itself(void *arg)
{
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    (void)add(stops_itself, "A", MOAT_RESTART_TRANSIENT);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_OK);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void children_come_and_go(const void *arg)
{
    (void)arg;
    (void)run(changes_children);
    (void)run(has_a_child_that_stops_itself);
}

/* ---- Order of the starts ---- */

static void *gets_ready(void *arg)
{
    NOTED(arg);

    EXPECT_EQ(moat_sleep(5 * MS), MOAT_OK);
    note('+');
    EXPECT_EQ(moat_child_ready(), MOAT_OK);
    EXPECT_EQ(moat_sleep(NEVER - 1), MOAT_OK);
    return NULL;
}

static void *starts_in_order(void *arg)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;

    spec.flags = MOAT_CHILD_READY;
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    (void)add_with(&spec, gets_ready, "A", MOAT_RESTART_PERMANENT);
    (void)add_with(&spec, gets_ready, "B", MOAT_RESTART_PERMANENT);
    (void)add(waits, "C", MOAT_RESTART_PERMANENT);
    EXPECT_EQ(run_for(20 * MS).kind, MOAT_EVENT_RETURN);
    EXPECT_STR(order, "A+B+Ccba");
    EXPECT_EQ(moat_child_ready(), MOAT_E_STATE);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void the_next_one_waits_for_ready(const void *arg)
{
    (void)arg;
    (void)run(starts_in_order);
}

/* ---- What a child spawns ---- */

static moat_local local;

static void *counts_up(void *value)
{
    return (void *)((uintptr_t)value + 1);
}

static void *helps(void *arg)
{
    EXPECT_EQ((uintptr_t)moat_local_get(local), 4);
    return waits(arg);
}

static void *has_a_helper(void *arg)
{
    EXPECT_EQ((uintptr_t)moat_local_get(local), 3);
    (void)spawn(helps, (void *)(uintptr_t) "H");
    return traps_at_first(arg);
}

static void *has_helpers(void *arg)
{
    moat_local_options options = MOAT_LOCAL_OPTIONS_INIT;

    options.inherit = counts_up;
    EXPECT_EQ(moat_local_create(&local, &options), MOAT_OK);
    EXPECT_EQ(moat_local_set(local, (void *)(uintptr_t)1), MOAT_OK);
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    lives = 1;
    (void)add(has_a_helper, "A", MOAT_RESTART_PERMANENT);
    (void)spawn(moat_supervisor_task, supervisor);
    EXPECT_EQ(moat_sleep(10 * MS), MOAT_OK);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    EXPECT_EQ(moat_sleep(10 * MS), MOAT_OK);
    EXPECT_STR(order, "AHhAHah");
    moat_supervisor_destroy(supervisor);
    EXPECT_EQ(moat_local_delete(local), MOAT_OK);
    return arg;
}

static void a_child_is_all_that_it_spawns(const void *arg)
{
    (void)arg;
    (void)run(has_helpers);
}

/* ---- Misuse ---- */

/* The last refusal names its argument. */
static void explains(const char *words)
{
    const char *detail = moat_error_detail();

    if (strstr(detail, words) == NULL)
        printf("no '%s' in: %s\n", words, detail);
    EXPECT(strstr(detail, words) != NULL);
}

static void *misuses(void *arg)
{
    moat_supervisor_options options = options_of(MOAT_ONE_FOR_ONE, 0);
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_supervisor_info all = MOAT_SUPERVISOR_INFO_INIT;
    moat_child_info child = MOAT_CHILD_INFO_INIT;
    moat_task_options migratable = MOAT_TASK_OPTIONS_INIT;
    moat_supervisor *made = NULL;

    EXPECT_EQ(moat_supervisor_create(NULL, NULL), MOAT_E_INVAL);
    options.strategy = (moat_strategy)3;
    EXPECT_EQ(moat_supervisor_create(&made, &options), MOAT_E_INVAL);
    explains("strategy is 3");
    options = options_of(MOAT_ONE_FOR_ONE, 4);
    EXPECT_EQ(moat_supervisor_create(&made, &options), MOAT_E_INVAL);
    explains("flags has 0x4");
    options = options_of(MOAT_ONE_FOR_ONE, 0);
    options.intensity = 1001;
    EXPECT_EQ(moat_supervisor_create(&made, &options), MOAT_E_INVAL);
    explains("intensity is 1001");
    options = options_of(MOAT_ONE_FOR_ONE, 0);
    options.jitter_percent = 101;
    EXPECT_EQ(moat_supervisor_create(&made, &options), MOAT_E_INVAL);
    explains("jitter_percent is 101");
    options.struct_size = 8;
    EXPECT_EQ(moat_supervisor_create(&made, &options), MOAT_E_INVAL);
    EXPECT(made == NULL);
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    EXPECT_EQ(moat_supervisor_add(NULL, &spec, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_add(supervisor, NULL, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_E_INVAL);
    explains("fn is NULL");
    spec.fn = waits;
    spec.restart = (moat_restart)3;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_E_INVAL);
    explains("restart is 3");
    spec.restart = MOAT_RESTART_PERMANENT;
    spec.flags = 4;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_E_INVAL);
    explains("flags has 0x4");
    spec.flags = 0;
    migratable.struct_size = 1;
    spec.options = &migratable;
    EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_run(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_OK); /* no children */
    EXPECT_EQ(moat_supervisor_stop(NULL), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK); /* does not run */
    EXPECT_EQ(moat_supervisor_stop_child(supervisor, 1, 0), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_start_child(supervisor, 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_remove_child(supervisor, 1), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_next_child(NULL, 0), 0);
    EXPECT_EQ(moat_supervisor_get_child(supervisor, 1, &child), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_get_child(supervisor, 1, NULL), MOAT_E_INVAL);
    all.struct_size = 0;
    EXPECT_EQ(moat_supervisor_get_info(supervisor, &all), MOAT_E_INVAL);
    EXPECT_EQ(moat_supervisor_get_info(NULL, NULL), MOAT_E_INVAL);
    moat_supervisor_destroy(supervisor);
    moat_supervisor_destroy(NULL);
    return arg;
}

static void misuse_is_an_error(const void *arg)
{
    moat_child_id id;

    (void)arg;
    (void)run(misuses);
    /* The host may prepare one. */
    supervisor = make(MOAT_ONE_FOR_ONE, 0);
    id = add(returns, "A", MOAT_RESTART_TRANSIENT);
    EXPECT_EQ(moat_supervisor_next_child(supervisor, 0), id);
    EXPECT_EQ(info_of(id).state, MOAT_CHILD_IDLE);
    EXPECT_EQ(info().children, 1);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_STATE);
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_E_STATE);
    (void)run_with(MOAT_CLOCK_TEST, moat_supervisor_task, supervisor, NULL);
    EXPECT_EQ(info_of(id).returned, 1);
    EXPECT_EQ(moat_supervisor_remove_child(supervisor, id), MOAT_OK);
    moat_supervisor_destroy(supervisor);
}

/* ---- Deadlock ---- */

static void *is_deadlocked(void *arg)
{
    moat_chan *chan = chan_of(8, 0);

    note(*(const char *)arg);
    EXPECT_EQ(moat_chan_recv(chan, NULL, NEVER), MOAT_E_DEADLOCK);
    moat_chan_destroy(chan);
    note('!');
    return NULL;
}

static void *stays_without_children(void *arg)
{
    supervisor = make(MOAT_ONE_FOR_ONE, MOAT_SUPERVISOR_STAY);
    (void)add(is_deadlocked, "A", MOAT_RESTART_TRANSIENT);
    EXPECT_EQ(moat_supervisor_run(supervisor), MOAT_E_DEADLOCK);
    EXPECT_STR(order, "A!");
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void nothing_to_wait_for_is_a_deadlock(const void *arg)
{
    (void)arg;
    EXPECT_EQ(run(stays_without_children).deadlocks, 2);
}

/* ---- A crowd, on several threads ---- */

#define CROWD 24

static _Atomic unsigned work_done;

static void *works_and_crashes(void *arg)
{
    uintptr_t number = (uintptr_t)arg;

    for (unsigned i = 0; i < 10; i++) {
        (void)moat_sleep(20000 * (number % 5));
        atomic_fetch_add(&work_done, 1);
    }
    if (number % 3 == 0)
        fault();
    if (number % 3 == 1)
        moat_trap_raise((int)number);
    return NULL;
}

static void *has_a_crowd(void *arg)
{
    moat_supervisor_options options =
        options_of((moat_strategy)(uintptr_t)arg, MOAT_SUPERVISOR_FAIL_OPEN);
    moat_supervisor_info all = MOAT_SUPERVISOR_INFO_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_task *task;

    options.intensity = 1000;
    options.report = NULL;
    supervisor = make_with(&options);
    spec.fn = works_and_crashes;
    for (uintptr_t i = 0; i < CROWD; i++) {
        spec.arg = (void *)i;
        EXPECT_EQ(moat_supervisor_add(supervisor, &spec, NULL), MOAT_OK);
    }
    task = spawn(moat_supervisor_task, supervisor);
    do {
        EXPECT_EQ(moat_sleep(MS), MOAT_OK);
        all = info();
    } while (all.restarts < 200);
    for (moat_child_id id = 1; id <= CROWD; id += 2) {
        EXPECT_EQ(moat_supervisor_stop_child(supervisor, id, NEVER), MOAT_OK);
        EXPECT_EQ(moat_supervisor_remove_child(supervisor, id), MOAT_OK);
    }
    EXPECT_EQ(moat_supervisor_stop(supervisor), MOAT_OK);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(info().up, 0);
    EXPECT_EQ(info().children, CROWD / 2);
    moat_supervisor_destroy(supervisor);
    return arg;
}

static void a_crowd_crashes_on_several_threads(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

    (void)arg;
    options.threads = 4;
    options.report_fd = -1;
    options.stats = &stats;
    for (uintptr_t i = 0; i < 3; i++) {
        EXPECT_EQ(moat_sched_run(&options, has_a_crowd, (void *)i, NULL),
                  MOAT_OK);
        EXPECT_EQ(stats.live, 0);
        EXPECT_EQ(stats.deadlocks, 0);
    }
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(a_policy_says_who_starts_again),
        CHILD_CASE(a_strategy_says_who_starts_with_it),
        CHILD_CASE(restarts_are_delayed),
        CHILD_CASE(too_many_restarts_are_a_failure),
        CHILD_CASE(events_are_written),
        CHILD_CASE(children_stop_last_to_first),
        CHILD_CASE(a_supervisor_takes_its_children_down),
        CHILD_CASE(supervisors_nest),
        CHILD_CASE(children_come_and_go),
        CHILD_CASE(the_next_one_waits_for_ready),
        CHILD_CASE(a_child_is_all_that_it_spawns),
        CHILD_CASE(misuse_is_an_error),
        CHILD_CASE(nothing_to_wait_for_is_a_deadlock),
        CHILD_CASE(a_crowd_crashes_on_several_threads),
    };

    return child_cases_run("sched.supervisor", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
