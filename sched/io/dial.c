/*
 * dial.c: TCP connections and listening sockets, by name.
 *
 * The sockets are made on the host's stack. One whose connection is not made
 * yet belongs to the wait: whatever ends that closes it, unless the task gets
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <moat/socket.h>

#include "sched/io/address.h"
#include "sched/io/newcomer.h"
#include "sched/io/poller.h"
#include "sched/io/task_errno.h"
#include "sched/wait.h"

#define TCP_FLAGS (FD_KNOWN | FD_SOCKET | FD_TCP)

static int make_socket(const struct address *address)
{
    return socket(address->bytes.ss_family,
                  SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Returns -1; errno stays. */
static int give_up(int fd)
{
    int error = errno;

    (void)close(fd);
    errno = error;
    return -1;
}

/* ---- Dial --------------------------------------------------------------- */

/* The connection is made, or refused. */
static void settle(struct worker *worker, int fd, unsigned what)
{
    struct moat_task *task = moat_newcomer_waiter(worker, fd, SIDE_WRITE);
    socklen_t size = sizeof task->wish.of_fd.error;

    if ((what & POLLER_WRITE) == 0)
        return;
    moat_descriptor_at(worker->run, fd)->settle = NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &task->wish.of_fd.error, &size) !=
        0)
        task->wish.of_fd.error = errno;
    task->wish.of_fd.fd = fd;
    if (task->wish.of_fd.error == 0) {
        moat_sched_wake(worker, task, MOAT_OK);
    } else {
        moat_sched_wake(worker, task, MOAT_E_SYSTEM);
        moat_newcomer_leave(worker, (const void *)(uintptr_t)(unsigned)fd);
    }
}

static enum verdict dial(struct worker *worker, struct moat_task *task)
{
    const struct lookup *lookup = task->room;
    const struct address *address = &lookup->found[task->wish.of_fd.index];
    int fd = make_socket(address);
    int error;

    if (fd < 0)
        return moat_newcomer_refuse(task, errno);
    if (connect(fd, (const struct sockaddr *)&address->bytes,
                address->length) == 0)
        return moat_newcomer_answer(worker, task, fd, TCP_FLAGS);
    if (errno == EINPROGRESS || errno == EINTR)
        return moat_newcomer_wait(worker, task, fd, TCP_FLAGS, SIDE_WRITE,
                                  settle);
    error = errno;
    (void)close(fd);
    return moat_newcomer_refuse(task, error);
}

static const struct op dials = {.perform = dial,
                                .words = "connects descriptor",
                                .late = MOAT_E_TIMEOUT,
                                .from_outside = true,
                                .for_fd = true,
                                .leaves = moat_newcomer_leave};

static int dial_all(struct moat_task *task, size_t count, uint64_t deadline)
{
    moat_status status = MOAT_E_SYSTEM;

    for (size_t i = 0; status == MOAT_E_SYSTEM && i < count; i++) {
        task->wish.of_fd.index = i;
        task->deadline = deadline;
        status = ask(task, &dials);
    }
    if (status == MOAT_OK)
        return task->wish.of_fd.fd;
    TASK_ERRNO = status == MOAT_E_SYSTEM ? task->wish.of_fd.error
                                         : moat_descriptor_errno(status);
    return -1;
}

/* The names, copied into the task's room. NULL: errno is set. */
static struct lookup *read_names(struct moat_task *task, const char *host,
                                 const char *port, bool listens)
{
    if (!moat_sched_room(task, sizeof(struct lookup))) {
        TASK_ERRNO = ENOMEM;
        return NULL;
    }
    return moat_address_ask(task->room, host, port, listens) ? task->room
                                                             : NULL;
}

int moat_dial_tcp(const char *host, const char *port, uint64_t deadline)
{
    struct moat_task *task = asker();
    const struct lookup *lookup;
    int error;

    TASK_ERRNO = EPERM;
    if (task == NULL || is_host(task))
        return -1;
    lookup = read_names(task, host, port, false);
    if (lookup == NULL)
        return -1;
    error = moat_address_find_for(task, deadline);
    if (error == 0)
        return dial_all(task, lookup->count, deadline);
    TASK_ERRNO = error;
    return -1;
}

/* ---- Listen ------------------------------------------------------------- */

static int listen_at(const struct address *address, int backlog)
{
    const int on = 1, off = 0;
    int fd = make_socket(address);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return give_up(fd);
    if (address->bytes.ss_family == AF_INET6) /* IPv4 as well */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (const struct sockaddr *)&address->bytes, address->length) !=
            0 ||
        listen(fd, backlog > 0 ? backlog : SOMAXCONN) != 0)
        return give_up(fd);
    return fd;
}

/* All addresses: an IPv6 socket serves both kinds, where there is IPv6. */
static int listen_at_one(const struct lookup *lookup, int backlog)
{
    int fd = -1;

    for (int first = 1; first >= 0 && fd < 0; first--)
        for (size_t i = 0; i < lookup->count && fd < 0; i++)
            if (first == (!lookup->has_host &&
                          lookup->found[i].bytes.ss_family == AF_INET6))
                fd = listen_at(&lookup->found[i], backlog);
    return fd;
}

static enum verdict open_listener(struct worker *worker, struct moat_task *task)
{
    int fd = listen_at_one(task->room, task->wish.of_fd.fd);

    return fd < 0 ? moat_newcomer_refuse(task, errno)
                  : moat_newcomer_answer(worker, task, fd, TCP_FLAGS);
}

static const struct op opens_listener = {.perform = open_listener,
                                         .words = "listens"};

static int listen_outside(const char *host, const char *port, int backlog)
{
    struct lookup lookup;

    if (!moat_address_ask(&lookup, host, port, true))
        return -1;
    errno = moat_address_find(&lookup, false);
    return errno == 0 ? listen_at_one(&lookup, backlog) : -1;
}

/* Returns whether the caller is an ordinary thread, or the host of a run that
 * it drives, between two rounds. */
static bool is_outside(const struct moat_task *task)
{
    const struct worker *worker = moat_sched_worker;

    if (worker == NULL)
        return moat_co_current() == NULL;
    return task != NULL && is_host(task) && worker->run->driven &&
           worker->running == NULL;
}

int moat_listen_tcp(const char *host, const char *port, int backlog)
{
    struct moat_task *task = asker();
    int error;

    if (is_outside(task))
        return listen_outside(host, port, backlog);
    TASK_ERRNO = EPERM;
    if (task == NULL || is_host(task) ||
        read_names(task, host, port, true) == NULL)
        return -1;
    error = moat_address_find_for(task, MOAT_NO_DEADLINE);
    task->wish.of_fd.fd = backlog;
    if (error == 0 && ask(task, &opens_listener) == MOAT_OK)
        return task->wish.of_fd.fd;
    TASK_ERRNO = error != 0 ? error : task->wish.of_fd.error;
    return -1;
}
