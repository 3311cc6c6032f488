/*
 * jobs.c: worker threads.
 *
 * Workers take files in order and write no output. They hand each result to the
 * main thread through a table, or through a list where scripts have several, so
 * it can react to Ctrl-C at once, whatever the scripts are doing. It is woken
 * for many short scripts together. Its own writes may wait for a reader: a
 * signal that comes then leaves them STALL_S seconds more.
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

#include "restart.h"
#include "turns.h"
#include "usage.h"

/* For so long the main thread lets results gather after it has written some.
 * Only the last one wakes it earlier. */
#define PACE_MS 1

/* So long may output take to be written once a signal has come. */
#define STALL_S 1

/* So much may wait to be written before workers stop taking files. */
#define HELD_MAX ((size_t)64 << 20)

bool jobs_have_room(struct jobs *jobs)
{
    return atomic_load(&jobs->held) <= HELD_MAX;
}

/* Results are written in the order of the files, in which they are also taken.
 * So the one that is written next is finished, or belongs to a worker that runs
 * it and does not wait here. */
void jobs_wait_for_room(struct jobs *jobs)
{
    if (jobs_have_room(jobs))
        return;
    pthread_mutex_lock(&jobs->lock);
    while (!jobs_have_room(jobs))
        pthread_cond_wait(&jobs->room, &jobs->lock);
    pthread_mutex_unlock(&jobs->lock);
}

static void wake(struct jobs *jobs)
{
    uint64_t one = 1;

    while (write(jobs->ready, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void append(struct jobs *jobs, struct result *result)
{
    pthread_mutex_lock(&jobs->lock);
    if (jobs->first == NULL)
        jobs->first = result;
    else
        jobs->last->next = result;
    jobs->last = result;
    pthread_mutex_unlock(&jobs->lock);
}

/* Here the look at `waiting` comes after the store, and in jobs_wait the look
 * at the results comes after `waiting` is set: one of the two sees the other's.
 */
void jobs_finish(struct jobs *jobs, struct result *result)
{
    bool again = result->again, last = false, waiting;

    if (atomic_load(&jobs->stopped)) {
        result_free(result);
        return;
    }
    atomic_fetch_add(&jobs->held, result_bytes(result));
    if (jobs->restarts != NULL)
        append(jobs, result);
    else
        atomic_store(&jobs->results[result->number - 1], result);
    if (!again)
        last = atomic_fetch_sub(&jobs->left, 1) == 1;
    waiting = atomic_exchange(&jobs->waiting, false);
    if (last || waiting)
        wake(jobs);
}

bool jobs_next(struct jobs *jobs, size_t *file)
{
    /* The number must not wrap around. */
    if (atomic_load(&jobs->next) >= jobs->options->file_count)
        return false;
    *file = atomic_fetch_add(&jobs->next, 1);
    return *file < jobs->options->file_count;
}

struct restart *jobs_restart(struct jobs *jobs, size_t file)
{
    return jobs->restarts != NULL ? &jobs->restarts[file] : NULL;
}

struct result *jobs_new_result(struct jobs *jobs, size_t file)
{
    struct result *result = result_new(jobs->options, file);

    if (result == NULL) {
        complain("run", "out of memory");
        _exit(EXIT_NO_OUTPUT);
    }
    return result;
}

static void *work(void *argument)
{
    struct turns turns;

    if (!turns_init(&turns, argument))
        _exit(EXIT_NO_OUTPUT);
    while (turns_go_on(&turns))
        continue;
    turns_close(&turns);
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
    if (options->restart.when != RESTART_NEVER)
        jobs->restarts = calloc(options->file_count, sizeof(*jobs->restarts));
    else
        jobs->results = calloc(options->file_count, sizeof(*jobs->results));
    jobs->threads = calloc((size_t)options->jobs, sizeof(*jobs->threads));
    if ((jobs->results == NULL && jobs->restarts == NULL) ||
        jobs->threads == NULL)
        return refuse("memory");
    jobs->ready = eventfd(0, EFD_CLOEXEC);
    if (jobs->ready < 0)
        return refuse("eventfd");
    return open_signals(jobs) && start_threads(jobs);
}

static bool is_ready(struct jobs *jobs)
{
    bool ready;

    if (jobs->restarts == NULL)
        return jobs->taken < jobs->options->file_count &&
               atomic_load(&jobs->results[jobs->taken]) != NULL;
    pthread_mutex_lock(&jobs->lock);
    ready = jobs->first != NULL;
    pthread_mutex_unlock(&jobs->lock);
    return ready;
}

static struct result *take_first(struct jobs *jobs)
{
    struct result *result;

    pthread_mutex_lock(&jobs->lock);
    result = jobs->first;
    jobs->first = result->next;
    pthread_mutex_unlock(&jobs->lock);
    if (!result->again)
        jobs->restarts[result->number - 1].ended = true;
    return result;
}

struct result *jobs_take(struct jobs *jobs)
{
    struct result *result;

    if (!is_ready(jobs))
        return NULL;
    result = jobs->restarts != NULL ? take_first(jobs)
                                    : atomic_load(&jobs->results[jobs->taken]);
    jobs->taken += !result->again;
    return result;
}

void jobs_stop(struct jobs *jobs)
{
    atomic_store(&jobs->stopped, true);
}

bool jobs_are_done(const struct jobs *jobs)
{
    return jobs->taken == jobs->options->file_count;
}

bool jobs_take_rest(struct jobs *jobs, size_t file, struct result **result)
{
    *result = NULL;
    if (jobs->restarts != NULL)
        return !jobs->restarts[file].ended;
    *result = atomic_load(&jobs->results[file]);
    return file >= jobs->taken;
}

void jobs_free_result(struct jobs *jobs, struct result *result)
{
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

int jobs_wait(struct jobs *jobs)
{
    int signo = came;

    if (signo == 0 && jobs->paced)
        signo = pause_for(jobs, PACE_MS);
    jobs->paced = true;
    if (signo != 0)
        return signo;
    atomic_store(&jobs->waiting, true);
    if (!is_ready(jobs))
        signo = pause_for(jobs, -1);
    atomic_store(&jobs->waiting, false);
    return signo;
}

static void free_restarts(struct jobs *jobs)
{
    for (size_t i = 0; jobs->restarts != NULL && i < jobs->options->file_count;
         i++)
        restart_free(&jobs->restarts[i]);
    free(jobs->restarts);
}

void jobs_end(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->thread_count; i++)
        pthread_join(jobs->threads[i], NULL);
    free(jobs->results);
    free_restarts(jobs);
    free(jobs->threads);
    pthread_mutex_destroy(&jobs->lock);
    pthread_cond_destroy(&jobs->room);
    if (jobs->ready >= 0)
        close(jobs->ready);
    if (jobs->signals >= 0)
        close(jobs->signals);
}
