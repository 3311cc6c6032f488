/*
 * storm.c: thousands of tasks in groups, on several threads. A tenth trap, a
 * tenth are cancelled, a tenth pass deadlines, the others talk to each other.
 * Every join must have the right result, and no task may wait for ever.
 *
 *   storm SECONDS THREADS TASKS
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <moat/sched.h>

#define NEVER     MOAT_NO_DEADLINE
#define PER_GROUP 100
#define MS        UINT64_C(1000000)

struct crowd;

struct player {
    struct crowd *crowd;
    size_t number;
};

struct crowd {
    moat_chan *pipe, *closed_late, *quiet;
    moat_task *tasks[PER_GROUP];
    struct player players[PER_GROUP];
};

static int *volatile nowhere;
static unsigned tasks_per_round = 1000;

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* Null is everybody's: a race that no sanitizer should see. */
__attribute__((noinline,
               no_sanitize("thread", "address", "undefined"))) static void
fault(void)
{
    *nowhere = 1;
}

static void clean(int *unused)
{
    (void)unused;
    moat_task_yield();
}

static void *play(void *arg)
{
    struct player me = *(struct player *)arg;
    __attribute__((cleanup(clean))) int one = 1;
    uint64_t item = me.number;
    moat_select_case cases[] = {{me.crowd->quiet, false, &item},
                                {me.crowd->closed_late, false, &item},
                                {me.crowd->quiet, true, &item}};

    (void)one;
    switch (me.number % 10) {
    case 0:
        moat_task_yield();
        fault();
        break;
    case 1: /* is cancelled */
        (void)!moat_chan_recv(me.crowd->closed_late, NULL, NEVER);
        (void)moat_sleep(NEVER - 1);
        break;
    case 2:
        CHECK(moat_chan_recv(me.crowd->quiet, NULL, moat_now() + MS) ==
              MOAT_E_TIMEOUT);
        CHECK(moat_select(cases, 1, moat_now() + MS, NULL) == MOAT_E_TIMEOUT);
        break;
    case 3:
        CHECK(moat_select(cases, 2, NEVER, NULL) == MOAT_E_CLOSED);
        break;
    case 4:
    case 5:
    case 6:
        for (int i = 0; i < 20; i++)
            CHECK(moat_chan_send(me.crowd->pipe, &item, NEVER) == MOAT_OK);
        break;
    case 7:
    case 8:
    case 9:
        for (int i = 0; i < 20; i++)
            CHECK(moat_chan_recv(me.crowd->pipe, &item, NEVER) == MOAT_OK);
        break;
    }
    return (void *)(uintptr_t)me.number;
}

static void join_one(struct crowd *crowd, size_t number)
{
    moat_result result;

    CHECK(moat_task_join(crowd->tasks[number], NEVER, &result) == MOAT_OK);
    CHECK(result.status == MOAT_OK);
    if (number % 10 == 0) {
        CHECK(result.kind == MOAT_EVENT_TRAP);
        CHECK(result.trap.kind == MOAT_TRAP_NULL);
    } else if (number % 10 == 1) {
        CHECK(result.kind == MOAT_EVENT_CANCELLED);
    } else {
        CHECK(result.kind == MOAT_EVENT_RETURN);
        CHECK(result.value == (void *)(uintptr_t)number);
    }
}

static void *host_crowd(void *arg)
{
    struct crowd crowd;
    moat_group *group;
    moat_result failure;

    CHECK(moat_chan_create(&crowd.pipe, 8, (uintptr_t)arg % 3) == MOAT_OK);
    CHECK(moat_chan_create(&crowd.closed_late, 8, 0) == MOAT_OK);
    CHECK(moat_chan_create(&crowd.quiet, 8, 0) == MOAT_OK);
    CHECK(moat_group_open(&group, 0) == MOAT_OK);
    for (size_t i = 0; i < PER_GROUP; i++) {
        crowd.players[i] = (struct player){&crowd, i};
        CHECK(moat_task_spawn(group, play, &crowd.players[i], NULL,
                              &crowd.tasks[i]) == MOAT_OK);
    }
    CHECK(moat_sleep(2 * MS) == MOAT_OK);
    for (size_t i = 1; i < PER_GROUP; i += 10)
        CHECK(moat_task_cancel(crowd.tasks[i]) == MOAT_OK);
    moat_chan_close(crowd.closed_late);
    for (size_t i = PER_GROUP; i-- > 0;)
        join_one(&crowd, i);
    CHECK(moat_group_wait(group, NEVER, &failure) == MOAT_OK);
    CHECK(failure.kind == MOAT_EVENT_TRAP);
    moat_group_close(group);
    moat_chan_destroy(crowd.pipe);
    moat_chan_destroy(crowd.closed_late);
    moat_chan_destroy(crowd.quiet);
    return arg;
}

static void *host_round(void *arg)
{
    for (uintptr_t i = 0; i < tasks_per_round / PER_GROUP; i++)
        CHECK(moat_task_spawn(NULL, host_crowd, (void *)i, NULL, NULL) ==
              MOAT_OK);
    return arg;
}

int main(int argc, char **argv)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    moat_task_options task = MOAT_TASK_OPTIONS_INIT;
    unsigned long rounds = 0;
    time_t end = time(NULL);

    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: storm SECONDS THREADS TASKS [movers]\n");
        return 2;
    }
    task.migratable = argc == 5;
    options.task = &task;
    end += atoi(argv[1]);
    options.threads = (unsigned)atoi(argv[2]);
    tasks_per_round = (unsigned)atoi(argv[3]);
    options.stats = &stats;
    do {
        CHECK(moat_sched_run(&options, host_round, NULL, NULL) == MOAT_OK);
        CHECK(stats.live == 0);
        CHECK(stats.deadlocks == 0);
        CHECK(stats.trapped == tasks_per_round / 10);
        CHECK(stats.cancelled == tasks_per_round / 10);
        rounds++;
    } while (time(NULL) < end);
    printf("%lu rounds of %u tasks, the last with %lu switches, %lu moves\n",
           rounds, tasks_per_round, (unsigned long)stats.switches,
           (unsigned long)stats.moved);
    return 0;
}
