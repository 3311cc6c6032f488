/*
 * moat_waker_wake.c: A signal handler wakes a task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>

#include <moat/sched.h>

static moat_waker *waker;

static void on_signal(int signo)
{
    (void)signo;
    moat_waker_wake(waker);
}

static void *raise_it(void *arg)
{
    (void)raise(SIGUSR1);
    return arg;
}

static void *first(void *arg)
{
    if (moat_task_spawn(NULL, raise_it, NULL, NULL, NULL) == MOAT_OK &&
        moat_waker_wait(waker, MOAT_NO_DEADLINE) == MOAT_OK)
        printf("woken\n");
    return arg;
}

int main(void)
{
    if (moat_waker_create(&waker) != MOAT_OK)
        return 1;
    (void)signal(SIGUSR1, on_signal);
    if (moat_sched_run(NULL, first, NULL, NULL) != MOAT_OK)
        return 1;
    moat_waker_destroy(waker);
    return 0;
}
