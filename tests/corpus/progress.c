/*
 * progress.c: a worker's reports, written to the job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "progress.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct job *job;

void progress_open(struct job *asked)
{
    job = asked;
    progress_step("starting");
}

void progress_step(const char *name)
{
    (void)snprintf(job->step, sizeof(job->step), "%s", name);
    __atomic_add_fetch(&job->beat, 1, __ATOMIC_RELEASE);
}

/* Skips exit handlers, because some may be the guest's. */
_Noreturn void progress_end(enum outcome outcome)
{
    job->outcome = outcome;
    for (;;)
        (void)syscall(SYS_exit_group, 0);
}

_Noreturn void progress_give_up(const char *why, const char *what)
{
    (void)snprintf(job->trouble, sizeof(job->trouble), "%s%s", why, what);
    progress_end(OUTCOME_GIVEN_UP);
}
