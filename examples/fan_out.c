/*
 * fan_out.c: a pipeline whose middle stage is many tasks. They take items from
 * one channel, so a slow item delays only the task that has it. One task
 * crashes: its item is lost, and the others take the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER   MOAT_NO_DEADLINE
#define WORKERS 4
#define NUMBERS 20

struct answer {
    int number, steps;
};

static moat_chan *numbers, *answers;
static moat_wait_group workers;

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

static void *produce(void *arg)
{
    for (int number = 1; number <= NUMBERS; number++)
        check(moat_chan_send(numbers, &number, NEVER));
    moat_chan_close(numbers);
    return arg;
}

static int *volatile nowhere;

/* Steps of Collatz's sequence from here to 1. */
static int count_steps(long number)
{
    int steps = 0;

    if (number == 13)
        *nowhere = 13;
    for (; number != 1; steps++)
        number = number % 2 == 0 ? number / 2 : 3 * number + 1;
    return steps;
}

static void be_done(void *arg)
{
    (void)arg;
    check(moat_wait_group_done(&workers));
}

static void *work(void *arg)
{
    struct answer answer;

    check(moat_co_defer(moat_co_current(), be_done, NULL)); /* in any case */
    while (moat_chan_recv(numbers, &answer.number, NEVER) == MOAT_OK) {
        answer.steps = count_steps(answer.number);
        check(moat_chan_send(answers, &answer, NEVER));
    }
    return arg;
}

/* The answers end when the last worker has ended. */
static void *close_answers(void *arg)
{
    check(moat_wait_group_wait(&workers, NEVER));
    moat_chan_close(answers);
    return arg;
}

static void collect(void)
{
    int steps[NUMBERS + 1] = {0};
    struct answer answer;

    while (moat_chan_recv(answers, &answer, NEVER) == MOAT_OK)
        steps[answer.number] = answer.steps;
    for (int number = 2; number <= NUMBERS; number++)
        if (steps[number] != 0)
            printf("%d: %d steps\n", number, steps[number]);
        else
            printf("%d: lost\n", number);
}

static void *run(void *arg)
{
    moat_group *group;
    moat_result failure;

    check(moat_chan_create(&numbers, sizeof(int), 0));
    check(moat_chan_create(&answers, sizeof(struct answer), WORKERS));
    check(moat_wait_group_init(&workers));
    check(moat_wait_group_add(&workers, WORKERS));
    check(moat_group_open(&group, 0));
    check(moat_task_spawn(group, produce, NULL, NULL, NULL));
    for (int i = 0; i < WORKERS; i++)
        check(moat_task_spawn(group, work, NULL, NULL, NULL));
    check(moat_task_spawn(group, close_answers, NULL, NULL, NULL));
    collect();
    check(moat_group_wait(group, NEVER, &failure));
    printf("a worker: %s\n", moat_trap_kind_str(failure.trap.kind));
    moat_group_close(group);
    moat_wait_group_destroy(&workers);
    moat_chan_destroy(numbers);
    moat_chan_destroy(answers);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.threads = 2;
    check(moat_sched_run(&options, run, NULL, NULL));
    return 0;
}
