/*
 * jobs.c: worker threads.
 *
 * Workers take files in order and write nothing: they hand the number of each
 * finished file to the main thread through a pipe. So the main thread can
 * answer Ctrl-C at once, whatever the scripts are doing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <moat/engine.h>

static void *work(void *argument)
{
    struct jobs *jobs = argument;
    size_t count = jobs->options->file_count;
    size_t i;

    while ((i = atomic_fetch_add(&jobs->next, 1)) < count) {
        script_run(jobs->options, i, &jobs->results[i]);
        /* A write of so few bytes is never split. */
        while (write(jobs->finished[1], &i, sizeof(i)) < 0 && errno == EINTR)
            continue;
    }
    moat_thread_detach();
    return NULL;
}

static bool complain(const char *what)
{
    fprintf(stderr, "moat: run: %s: %s\n", what, strerror(errno));
    return false;
}

static bool open_signals(struct jobs *jobs)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    jobs->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return jobs->signals >= 0 || complain("signalfd");
}

static bool start_threads(struct jobs *jobs)
{
    size_t wanted = (size_t)jobs->options->jobs;

    if (wanted > jobs->options->file_count)
        wanted = jobs->options->file_count;
    while (jobs->thread_count < wanted) {
        errno = pthread_create(&jobs->threads[jobs->thread_count], NULL, work,
                               jobs);
        if (errno != 0)
            break;
        jobs->thread_count++;
    }
    /* Fewer threads than asked for do the same work. */
    return jobs->thread_count > 0 || complain("threads");
}

bool jobs_start(struct jobs *jobs, const struct run_options *options)
{
    *jobs = (struct jobs){.options = options, .finished = {-1, -1}};
    jobs->signals = -1;
    jobs->results = calloc(options->file_count, sizeof(*jobs->results));
    jobs->done = calloc(options->file_count, sizeof(*jobs->done));
    jobs->threads = calloc((size_t)options->jobs, sizeof(*jobs->threads));
    if (jobs->results == NULL || jobs->done == NULL || jobs->threads == NULL)
        return complain("memory");
    if (pipe2(jobs->finished, O_CLOEXEC) != 0)
        return complain("pipe");
    return open_signals(jobs) && start_threads(jobs);
}

int jobs_wait(struct jobs *jobs)
{
    struct pollfd ready[2] = {{.fd = jobs->signals, .events = POLLIN},
                              {.fd = jobs->finished[0], .events = POLLIN}};
    struct signalfd_siginfo signal;
    size_t i;

    while (poll(ready, 2, -1) < 0 && errno == EINTR)
        continue;
    if ((ready[0].revents & POLLIN) &&
        read(jobs->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
        return (int)signal.ssi_signo;
    if ((ready[1].revents & POLLIN) &&
        read(jobs->finished[0], &i, sizeof(i)) == (ssize_t)sizeof(i))
        jobs->done[i] = true;
    return 0;
}

void jobs_end(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    free(jobs->results);
    free(jobs->done);
    free(jobs->threads);
    if (jobs->finished[0] >= 0) {
        close(jobs->finished[0]);
        close(jobs->finished[1]);
    }
    if (jobs->signals >= 0)
        close(jobs->signals);
}
