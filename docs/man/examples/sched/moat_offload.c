/*
 * moat_offload.c: A task waits for a call that blocks; another one goes on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include <moat/sched.h>

static void *block(void *arg)
{
    (void)sleep(1);
    return arg;
}

static void *count(void *arg)
{
    for (int i = 1; i <= 3; i++) {
        printf("%d\n", i);
        moat_task_yield();
    }
    return arg;
}

static void *first(void *arg)
{
    if (moat_task_spawn(NULL, count, NULL, NULL, NULL) == MOAT_OK &&
        moat_offload(block, NULL, NULL) == MOAT_OK)
        printf("it has returned\n");
    return arg;
}

int main(void)
{
    return moat_sched_run(NULL, first, NULL, NULL) == MOAT_OK ? 0 : 1;
}
