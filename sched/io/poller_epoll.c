/*
 * poller_epoll.c: the poller by epoll.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "sched/io/poller.h"

#define EVENTS 128

/* No descriptor's: one has a number of 31 bits in its low half. */
#define BELL_KEY UINT64_MAX

#define SECOND 1000000000u

struct poller {
    int epoll;
    bool in_ms; /* the kernel has no epoll_pwait2 */
    int count;
    struct epoll_event events[EVENTS];
    struct poller_event told[EVENTS];
};

static int add(const struct poller *poller, int fd, uint32_t events,
               uint64_t key)
{
    struct epoll_event event = {.events = events, .data = {.u64 = key}};

    return epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

int moat_poller_open(struct poller **out, int bell)
{
    struct poller *poller = calloc(1, sizeof *poller);
    int error;

    if (poller == NULL)
        return ENOMEM;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll < 0) {
        error = errno;
        free(poller);
        return error;
    }
    error = add(poller, bell, EPOLLIN | EPOLLET, BELL_KEY);
    if (error != 0)
        moat_poller_close(poller);
    else
        *out = poller;
    return error;
}

void moat_poller_close(struct poller *poller)
{
    if (poller == NULL)
        return;
    (void)close(poller->epoll);
    free(poller);
}

int moat_poller_descriptor(const struct poller *poller)
{
    return poller->epoll;
}

int moat_poller_add(struct poller *poller, int fd, uint64_t key)
{
    return add(poller, fd, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
               key);
}

void moat_poller_remove(struct poller *poller, int fd)
{
    struct epoll_event unused = {.events = 0};

    (void)epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, &unused);
}

/* ---- Waits -------------------------------------------------------------- */

static uint64_t left_until(uint64_t deadline)
{
    struct timespec now;
    uint64_t ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
    return deadline > ns ? deadline - ns : 0;
}

/* A wait that ends too early would only be repeated: round up. */
static int ms_of(uint64_t ns)
{
    uint64_t ms = ns / 1000000u + (ns % 1000000u != 0);

    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static int wait_ns(struct poller *poller, uint64_t ns)
{
    struct timespec left = {(time_t)(ns / SECOND), (long)(ns % SECOND)};
    int count;

    if (!poller->in_ms) {
        count =
            epoll_pwait2(poller->epoll, poller->events, EVENTS, &left, NULL);
        if (count >= 0 || errno == EINTR)
            return count;
        poller->in_ms = true;
    }
    return epoll_wait(poller->epoll, poller->events, EVENTS, ms_of(ns));
}

void moat_poller_wait(struct poller *poller, uint64_t deadline)
{
    if (deadline == 0)
        poller->count = epoll_wait(poller->epoll, poller->events, EVENTS, 0);
    else if (deadline == UINT64_MAX)
        poller->count = epoll_wait(poller->epoll, poller->events, EVENTS, -1);
    else
        poller->count = wait_ns(poller, left_until(deadline));
}

static unsigned what_of(uint32_t events)
{
    unsigned what = 0;

    if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        return POLLER_READ | POLLER_WRITE | POLLER_ENDS;
    if ((events & EPOLLIN) != 0)
        what |= POLLER_READ;
    if ((events & EPOLLOUT) != 0)
        what |= POLLER_WRITE;
    /* Urgent data ends a read early, as the end does. */
    if ((events & (EPOLLRDHUP | EPOLLPRI)) != 0)
        what |= POLLER_READ | POLLER_ENDS;
    return what;
}

const struct poller_event *moat_poller_take(struct poller *poller,
                                            size_t *count)
{
    *count = 0;
    for (int i = 0; i < poller->count; i++) {
        const struct epoll_event *event = &poller->events[i];

        if (event->data.u64 != BELL_KEY)
            poller->told[(*count)++] =
                (struct poller_event){event->data.u64, what_of(event->events)};
    }
    poller->count = 0;
    return poller->told;
}
