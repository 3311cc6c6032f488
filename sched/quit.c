/*
 * quit.c: a signal that asks for a dump.
 *
 * The handler only rings a bell. A thread of the run's hears it, gathers the
 * dump and writes it, so that neither a handler formats nor a worker waits for
 * a slow reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/gather.h"
#include "sched/quit.h"

/* Runs of the process that may listen at the same time. */
#define MOST_LISTENERS 16

/* A write to a pipe that can be written to, of at most so much, does not wait
 * (PIPE_BUF). The thread waits for a reader so long before it looks whether the
 * run has ended. */
#define PIECE   4096
#define WAIT_MS 50

/* Listeners stay for ever: a handler may be on its way to one. */
static struct listener {
    _Atomic int signal; /* 0: it does not listen */
    bool taken, made;   /* by a run; its bell    */
    sem_t bell;
} listeners[MOST_LISTENERS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all this */
static struct former {
    int signal;
    unsigned users;
    struct sigaction action;
} formers[] = {{.signal = SIGQUIT},
               {.signal = SIGHUP},
               {.signal = SIGUSR1},
               {.signal = SIGUSR2}};

#define FORMERS (sizeof formers / sizeof formers[0])

struct quit {
    struct sched *run;
    struct listener *listener;
    struct former *former;
    pthread_t thread;
    _Atomic bool stopped;
};

static struct former *former_of(int signal)
{
    for (size_t i = 0; i < FORMERS; i++)
        if (formers[i].signal == signal)
            return &formers[i];
    return NULL;
}

bool moat_quit_may_be(int signal)
{
    return signal == 0 || former_of(signal) != NULL;
}

static void on_signal(int signal)
{
    int error = errno;

    for (unsigned i = 0; i < MOST_LISTENERS; i++)
        if (atomic_load(&listeners[i].signal) == signal)
            (void)sem_post(&listeners[i].bell);
    errno = error;
}

/* ---- The thread --------------------------------------------------------- */

/* False: the run has ended, or the reader has gone. */
static bool wait_for_reader(const struct quit *quit)
{
    struct pollfd poll_of = {.fd = quit->run->report_fd, .events = POLLOUT};

    while (!atomic_load(&quit->stopped)) {
        int ready = poll(&poll_of, 1, WAIT_MS);

        if (ready > 0)
            return (poll_of.revents & POLLOUT) != 0;
    }
    return false;
}

static void write_pieces(const struct quit *quit, const struct text *text)
{
    size_t done = 0;

    while (done < text->length && wait_for_reader(quit)) {
        size_t piece =
            text->length - done < PIECE ? text->length - done : PIECE;
        ssize_t n = write(quit->run->report_fd, text->bytes + done, piece);

        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return;
        done += n > 0 ? (size_t)n : 0;
    }
}

static void dump(const struct quit *quit)
{
    struct text text;

    moat_sched_text_begin(&text);
    moat_sched_text_put(&text, "moat-sched: what the tasks do:\n");
    if (moat_gather_dump(quit->run->gather, false, &text) != MOAT_E_STATE)
        write_pieces(quit, &text);
    moat_sched_text_free(&text);
}

static void *listen_for(void *arg)
{
    struct quit *quit = arg;
    sem_t *bell = &quit->listener->bell;

    for (;;) {
        (void)sem_wait(bell);
        /* Signals that came meanwhile get the same answer. */
        while (sem_trywait(bell) == 0)
            ;
        if (atomic_load(&quit->stopped))
            return NULL;
        dump(quit);
    }
}

/* The host's signals are for its own threads. */
static int start(struct quit *quit)
{
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&quit->thread, NULL, listen_for, quit);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* ---- The disposition ---------------------------------------------------- */

static struct listener *take_listener(void)
{
    for (unsigned i = 0; i < MOST_LISTENERS; i++) {
        struct listener *listener = &listeners[i];

        if (listener->taken)
            continue;
        listener->taken = true;
        if (!listener->made)
            (void)sem_init(&listener->bell, 0, 0);
        listener->made = true;
        /* A handler may have been late for the run before. */
        while (sem_trywait(&listener->bell) == 0)
            ;
        return listener;
    }
    return NULL;
}

static void give_back(struct quit *quit)
{
    struct sigaction action;

    (void)pthread_mutex_lock(&lock);
    atomic_store(&quit->listener->signal, 0);
    quit->listener->taken = false;
    /* A handler that the host has installed since stays. */
    if (--quit->former->users == 0 &&
        sigaction(quit->former->signal, NULL, &action) == 0 &&
        action.sa_handler == on_signal)
        (void)sigaction(quit->former->signal, &quit->former->action, NULL);
    (void)pthread_mutex_unlock(&lock);
}

/* Guests run on small stacks: the handler has the alternate one. */
static void install(struct former *former)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESTART | SA_ONSTACK};

    if (former->users++ == 0)
        (void)sigaction(former->signal, &action, &former->action);
}

moat_status moat_quit_open(struct quit **out, struct sched *run, int signal)
{
    struct quit *quit = calloc(1, sizeof *quit);
    int error;

    if (quit == NULL)
        return MOAT_E_NOMEM;
    quit->run = run;
    quit->former = former_of(signal);
    (void)pthread_mutex_lock(&lock);
    quit->listener = take_listener();
    if (quit->listener != NULL) {
        install(quit->former);
        atomic_store(&quit->listener->signal, signal);
    }
    (void)pthread_mutex_unlock(&lock);
    if (quit->listener == NULL) {
        free(quit);
        return moat_error_note(MOAT_E_FULL,
                               "options->dump_signal is %d: %u runs of the "
                               "process wait for signals already",
                               (uint64_t)(int64_t)signal, MOST_LISTENERS);
    }
    error = start(quit);
    if (error != 0) {
        give_back(quit);
        free(quit);
        errno = error;
        return moat_error_note(MOAT_E_SYSTEM,
                               "pthread_create has failed for "
                               "options->dump_signal: %e",
                               0, 0);
    }
    *out = quit;
    return MOAT_OK;
}

void moat_quit_close(struct quit *quit)
{
    if (quit == NULL)
        return;
    atomic_store(&quit->stopped, true);
    (void)sem_post(&quit->listener->bell);
    (void)pthread_join(quit->thread, NULL);
    give_back(quit);
    free(quit);
}
