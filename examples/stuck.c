/*
 * stuck.c: a deadlock is an error at the waits, with a report.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

static void *receive(void *arg)
{
    int item;
    moat_status status = moat_chan_recv(arg, &item, NEVER);

    printf("receiver: %s\n", moat_status_str(status));
    return NULL;
}

static void *start(void *arg)
{
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_task *task;
    moat_chan *chan;

    check(moat_chan_create(&chan, sizeof(int), 0));
    options.name = "receiver";
    check(moat_task_spawn(NULL, receive, chan, &options, &task));
    check(moat_task_join(task, NEVER, NULL)); /* no task sends */
    moat_chan_destroy(chan);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    setbuf(stdout, NULL);
    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = STDOUT_FILENO;
    check(moat_sched_run(&options, start, NULL, NULL));
    return 0;
}
