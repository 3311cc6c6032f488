/*
 * jobs.c: worker threads.
 *
 * Workers take files in order and write no output. They hand each result to the
 * main thread through a table, so it can react to Ctrl-C at once, whatever the
 * scripts are doing. It is woken for many short scripts together. Its own
 * writes may wait for a reader: a signal that comes then leaves them STALL_S
 * seconds more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <moat/engine.h>

#include "guest.h"
#include "usage.h"

/* For so long the main thread lets results gather after it has written some.
 * Only the last one wakes it earlier. */
#define PACE_MS 1

/* So long may output take to be written once a signal has come. */
#define STALL_S 1

/* So much may wait to be written before workers stop taking files. */
#define HELD_MAX ((size_t)64 << 20)

/* Results are written in the order of the files, in which they are also taken.
 * So the one that is written next is finished or belongs to a worker that does
 * not wait here. */
static void wait_for_room(struct jobs *jobs)
{
    if (atomic_load(&jobs->held) <= HELD_MAX)
        return;
    pthread_mutex_lock(&jobs->lock);
    while (atomic_load(&jobs->held) > HELD_MAX)
        pthread_cond_wait(&jobs->room, &jobs->lock);
    pthread_mutex_unlock(&jobs->lock);
}

static void wake(struct jobs *jobs)
{
    uint64_t one = 1;

    while (write(jobs->ready, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* Here the look at `waiting` comes after the store, and in jobs_wait the look
 * at the table comes after `waiting` is set: one of the two sees the other's.
 */
static void finish(struct jobs *jobs, size_t file, struct result *result)
{
    bool last, waiting;

    atomic_fetch_add(&jobs->held, result_bytes(result));
    atomic_store(&jobs->results[file], result);
    last = atomic_fetch_sub(&jobs->left, 1) == 1;
    waiting = atomic_exchange(&jobs->waiting, false);
    if (last || waiting)
        wake(jobs);
}

/* Without memory for a result there is none to be written. */
static struct result *new_result(const struct run_options *options, size_t file)
{
    struct result *result = result_new(options, file);

    if (result == NULL) {
        complain("run", "out of memory");
        _exit(EXIT_NO_OUTPUT);
    }
    return result;
}

static void *work(void *argument)
{
    struct jobs *jobs = argument;
    size_t count = jobs->options->file_count;
    struct guest guest;
    size_t i;

    guest_init(&guest, jobs->options);
    while ((i = atomic_fetch_add(&jobs->next, 1)) < count) {
        struct result *result = new_result(jobs->options, i);

        script_run(&guest, result);
        finish(jobs, i, result);
        wait_for_room(jobs);
    }
    guest_close(&guest);
    moat_thread_detach();
    return NULL;
}

static bool refuse(const char *what)
{
    return complain("run", "%s: %s", what, strerror(errno));
}

/* The signal that came while the main thread was writing; 0: none. */
static volatile sig_atomic_t came;

static void on_stall(int signo)
{
    (void)signo;
    _exit(128 + came);
}

static void on_signal(int signo)
{
    if (came != 0)
        on_stall(signo);
    came = signo;
    (void)alarm(STALL_S);
}

static void fill_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGALRM);
}

static bool handle(int signo, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    fill_set(&action.sa_mask);
    return sigaction(signo, &action, NULL) == 0;
}

static bool open_signals(struct jobs *jobs)
{
    sigset_t set;

    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!handle(SIGINT, on_signal) || !handle(SIGTERM, on_signal) ||
        !handle(SIGALRM, on_stall))
        return refuse("signals");
    sigdelset(&set, SIGALRM);
    jobs->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return jobs->signals >= 0 || refuse("signalfd");
}

void jobs_begin_writing(int signo)
{
    sigset_t set;

    fill_set(&set);
    if (signo != 0)
        came = signo;
    if (came != 0)
        (void)alarm(STALL_S);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void jobs_end_writing(void)
{
    sigset_t set;

    fill_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)alarm(0);
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
    /* Fewer threads than requested can do the work, too. */
    return jobs->thread_count > 0 || refuse("threads");
}

bool jobs_start(struct jobs *jobs, const struct run_options *options)
{
    *jobs = (struct jobs){.options = options, .ready = -1, .signals = -1};
    atomic_init(&jobs->left, options->file_count);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->room, NULL);
    jobs->results = calloc(options->file_count, sizeof(*jobs->results));
    jobs->threads = calloc((size_t)options->jobs, sizeof(*jobs->threads));
    if (jobs->results == NULL || jobs->threads == NULL)
        return refuse("memory");
    jobs->ready = eventfd(0, EFD_CLOEXEC);
    if (jobs->ready < 0)
        return refuse("eventfd");
    return open_signals(jobs) && start_threads(jobs);
}

const struct result *jobs_result(struct jobs *jobs, size_t file)
{
    return atomic_load(&jobs->results[file]);
}

void jobs_free_result(struct jobs *jobs, size_t file)
{
    struct result *result = atomic_load(&jobs->results[file]);
    size_t bytes = result_bytes(result);

    result_free(result);
    if (atomic_fetch_sub(&jobs->held, bytes) <= HELD_MAX)
        return;
    pthread_mutex_lock(&jobs->lock);
    pthread_cond_broadcast(&jobs->room);
    pthread_mutex_unlock(&jobs->lock);
}

/* Waits for a signal or a wake-up. Returns the signal's number or 0. */
static int pause_for(struct jobs *jobs, int timeout_ms)
{
    struct pollfd ready[2] = {{.fd = jobs->signals, .events = POLLIN},
                              {.fd = jobs->ready, .events = POLLIN}};
    struct signalfd_siginfo signal;
    uint64_t count;

    while (poll(ready, 2, timeout_ms) < 0 && errno == EINTR)
        continue;
    if ((ready[0].revents & POLLIN) &&
        read(jobs->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
        return (int)signal.ssi_signo;
    if (ready[1].revents & POLLIN)
        (void)!read(jobs->ready, &count, sizeof count);
    return 0;
}

int jobs_wait(struct jobs *jobs, size_t file)
{
    int signo = came;

    if (signo == 0 && file > 0)
        signo = pause_for(jobs, PACE_MS);
    if (signo != 0)
        return signo;
    atomic_store(&jobs->waiting, true);
    if (jobs_result(jobs, file) == NULL)
        signo = pause_for(jobs, -1);
    atomic_store(&jobs->waiting, false);
    return signo;
}

void jobs_end(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    free(jobs->results);
    free(jobs->threads);
    pthread_mutex_destroy(&jobs->lock);
    pthread_cond_destroy(&jobs->room);
    if (jobs->ready >= 0)
        close(jobs->ready);
    if (jobs->signals >= 0)
        close(jobs->signals);
}
