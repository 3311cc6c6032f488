/*
 * supervisor.c: starts workers and watches them. It runs no guest itself: it is
 * the part of a host that continues when a worker has to be replaced.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corpus.h"
#include "job.h"

/* A worker without progress for this long hangs. Longer than a guest may
 * wait. */
#define HANG_MS(job) \
    ((int)((job)->hang_seconds * 1000 + 48 * (job)->deadline_ms))

static bool is_shared_object(const char *path)
{
    size_t length = strlen(path);

    return length > 3 && strcmp(path + length - 3, ".so") == 0;
}

/* In the child: runs the program that hosts the case, with the job as
 * CORPUS_JOB_FD. All symbols are bound at the start, because a guest's stack
 * may be too small for the lookup. */
static _Noreturn void become_worker(const struct job *job)
{
    const char *program =
        is_shared_object(job->path) ? "/proc/self/exe" : job->path;
    int nothing = open("/dev/null", O_RDWR);

    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        if (!job->verbose) {
            (void)dup2(nothing, STDOUT_FILENO);
            (void)dup2(nothing, STDERR_FILENO);
        }
        (void)close(nothing);
    }
    (void)setenv("LD_BIND_NOW", "1", 1);
    (void)execl(program, program, CORPUS_WORKER, (char *)NULL);
    _exit(127);
}

/* Returns whether the process ended within the time. */
static bool ends_within(int process, int milliseconds)
{
    struct pollfd ready = {process, POLLIN, 0};

    return poll(&ready, 1, milliseconds) > 0;
}

static void watch(struct job *job, pid_t child)
{
    int process = (int)syscall(SYS_pidfd_open, child, 0);
    unsigned beat = job->beat;

    while (!ends_within(process, HANG_MS(job))) {
        unsigned now = __atomic_load_n(&job->beat, __ATOMIC_ACQUIRE);

        if (now == beat) {
            (void)snprintf(job->trouble, sizeof(job->trouble), "hangs: %s",
                           job->step);
            (void)kill(child, SIGKILL);
        }
        beat = now;
    }
    (void)close(process);
}

static void judge_end(struct job *job, int status)
{
    if (job->outcome != OUTCOME_NONE || job->trouble[0] != '\0')
        return;
    if (WIFSIGNALED(status))
        (void)snprintf(job->trouble, sizeof(job->trouble),
                       "host dies by signal %d: %s", WTERMSIG(status),
                       job->step);
    else if (WEXITSTATUS(status) == 127 && job->beat == 0)
        (void)snprintf(job->trouble, sizeof(job->trouble), "cannot be started");
    else
        (void)snprintf(job->trouble, sizeof(job->trouble),
                       "host ends with status %d: %s", WEXITSTATUS(status),
                       job->step);
}

static void run_worker(struct job *job)
{
    int status = 0;
    pid_t child;

    job->outcome = OUTCOME_NONE;
    (void)fflush(NULL);
    child = fork();
    if (child == 0)
        become_worker(job);
    if (child < 0) {
        (void)snprintf(job->trouble, sizeof(job->trouble), "no process: %s",
                       strerror(errno));
        return;
    }
    watch(job, child);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    judge_end(job, status);
}

static bool wants_another(const struct job *job, unsigned done_before)
{
    return job->outcome == OUTCOME_REPLACE && job->trouble[0] == '\0' &&
           job->done > done_before && job->done < job->repetitions &&
           !job_is_lost(job);
}

bool job_is_lost(const struct job *job)
{
    unsigned most_late = job->repetitions / 100;

    return job->wrong >= MAX_WRONG ||
           job->late > (most_late > 2 ? most_late : 2);
}

void supervise(struct job *job)
{
    struct footprint warm = {0, 0, 0};
    unsigned done;

    do {
        done = job->done;
        run_worker(job);
        if (job->workers++ == 0)
            footprint_measure(&warm);
    } while (wants_another(job, done));
    if (job->workers == 1)
        return;
    job->warm = warm;
    footprint_measure(&job->end);
}
