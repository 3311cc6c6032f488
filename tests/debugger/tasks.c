/*
 * tasks.c: tasks in each state, for the sessions of the debuggers. With the
 * argument "two" there is a second run, on another thread.
 *
 * It stops as scenes.c does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <moat/sched.h>

#include "../support/frame.h"

#define NEVER MOAT_NO_DEADLINE

static sem_t other_runs;

FRAME static void stop(void)
{
    (void)syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
    KEEP_FRAME();
}

static void check(moat_status status)
{
    if (status != MOAT_OK)
        exit(2);
}

static const moat_task_options *named(const char *name)
{
    static moat_task_options options = MOAT_TASK_OPTIONS_INIT;

    options.name = name;
    return &options;
}

FRAME static void take_order(moat_chan *chan)
{
    int order = 7;

    check(moat_chan_recv(chan, &order, NEVER));
    KEEP_FRAME();
}

static void *receive(void *arg)
{
    take_order(arg);
    return NULL;
}

static void *join_it(void *arg)
{
    check(moat_task_join(arg, NEVER, NULL));
    return NULL;
}

static void *sleep_long(void *arg)
{
    check(moat_sleep(3600u * UINT64_C(1000000000)));
    return arg;
}

static void *return_it(void *arg)
{
    return arg;
}

static void *start(void *arg)
{
    moat_chan *chan;
    moat_task *task, *last;

    check(moat_chan_create(&chan, sizeof(int), 0));
    check(moat_task_spawn(NULL, receive, chan, named("receiver"), &task));
    check(moat_task_spawn(NULL, join_it, task, named("joiner"), NULL));
    check(moat_task_spawn(NULL, sleep_long, NULL, named("sleeper"), NULL));
    check(moat_task_spawn(NULL, return_it, NULL, named("returned"), &last));
    check(moat_sleep(1500 * UINT64_C(1000000)));
    check(moat_task_spawn(NULL, return_it, NULL, named("late"), &last));
    check(moat_task_cancel(last));
    stop();
    _exit(0);
    return arg;
}

/* Its turn comes once the first task sleeps. */
static void *tell(void *arg)
{
    (void)sem_post(&other_runs);
    return arg;
}

static void *wait_here(void *arg)
{
    check(moat_task_spawn(NULL, tell, NULL, NULL, NULL));
    return sleep_long(arg);
}

static void *run_another(void *arg)
{
    check(moat_sched_run(NULL, wait_here, NULL, NULL));
    return arg;
}

int main(int argc, char **argv)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    pthread_t thread;

    (void)sem_init(&other_runs, 0, 0);
    if (argc > 1 && strcmp(argv[1], "two") == 0) {
        if (pthread_create(&thread, NULL, run_another, NULL) != 0)
            return 3;
        (void)sem_wait(&other_runs);
    }
    options.clock = MOAT_CLOCK_TEST;
    check(moat_sched_run(&options, start, NULL, NULL));
    return 0;
}
