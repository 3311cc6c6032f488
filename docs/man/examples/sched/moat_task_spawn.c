/*
 * moat_task_spawn.c: Two tasks compute at once; the first one waits for both
 * results.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

struct range {
    long from, to, sum;
};

static void *add(void *arg)
{
    struct range *range = arg;

    for (long i = range->from; i < range->to; i++)
        range->sum += i;
    return range;
}

static void *first(void *arg)
{
    struct range ranges[2] = {{0, 500, 0}, {500, 1001, 0}};
    moat_task *tasks[2] = {NULL, NULL};
    long *sum = arg;
    moat_result result;

    for (int i = 0; i < 2; i++)
        if (moat_task_spawn(NULL, add, &ranges[i], NULL, &tasks[i]) != MOAT_OK)
            return NULL;
    for (int i = 0; i < 2; i++)
        if (moat_task_join(tasks[i], MOAT_NO_DEADLINE, &result) == MOAT_OK &&
            result.kind == MOAT_EVENT_RETURN)
            *sum += ranges[i].sum;
    return NULL;
}

int main(void)
{
    long sum = 0;
    moat_status status = moat_sched_run(NULL, first, &sum, NULL);

    printf("%ld\n", sum);
    return status != MOAT_OK || sum != 500500;
}
