/*
 * moat_sched_run.c: A task that faults is a result for the one that joins it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

static void *divide(void *arg)
{
    volatile int *numbers = arg;

    numbers[0] /= numbers[1];
    return arg;
}

static void *first(void *arg)
{
    moat_task *task;
    moat_result result;

    if (moat_task_spawn(NULL, divide, arg, NULL, &task) != MOAT_OK ||
        moat_task_join(task, MOAT_NO_DEADLINE, &result) != MOAT_OK)
        return NULL;
    if (result.kind == MOAT_EVENT_TRAP)
        printf("it trapped: %s\n", moat_trap_kind_str(result.trap.kind));
    return arg;
}

int main(void)
{
    int numbers[] = {1, 0};

    return moat_sched_run(NULL, first, numbers, NULL) == MOAT_OK ? 0 : 1;
}
