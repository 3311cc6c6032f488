/*
 * moat_child_wait.c: A task runs a program, and kills it after a deadline.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include <moat/sched.h>

extern char **environ;

/* Waits at most so many nanoseconds for the end. */
static moat_status run(char *const *arguments, uint64_t ns, int *status)
{
    uint64_t deadline = moat_now() + ns;
    moat_status result;
    pid_t pid;

    if (posix_spawnp(&pid, arguments[0], NULL, NULL, arguments, environ) != 0)
        return MOAT_E_SYSTEM;
    result = moat_child_wait(pid, deadline, status);
    if (result == MOAT_OK)
        return MOAT_OK;
    (void)kill(pid, SIGKILL);
    (void)!moat_child_wait(pid, MOAT_NO_DEADLINE, status);
    return result;
}

static void *first(void *arg)
{
    char name[] = "sleep", seconds[] = "1000";
    char *const arguments[] = {name, seconds, NULL};
    int status = 0;

    if (run(arguments, 10000000, &status) == MOAT_E_TIMEOUT &&
        WIFSIGNALED(status))
        printf("it has taken too long\n");
    return arg;
}

int main(void)
{
    return moat_sched_run(NULL, first, NULL, NULL) == MOAT_OK ? 0 : 1;
}
