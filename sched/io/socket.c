/*
 * socket.c: accepting and connecting, and datagrams.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <moat/io.h>
#include <moat/socket.h>

#include "sched/io/calls.h"
#include "sched/io/newcomer.h"
#include "sched/wait.h"

_Static_assert(_Generic((socklen_t)0, unsigned : 1, default : 0),
               "the header has unsigned for socklen_t");

/* ---- Accept ------------------------------------------------------------- */

/* Nobody may close the descriptor that the caller waits for: it looks again. */
#define STARVED_NS 50000000u

/* A connection that broke while it waited, and errors of its network, which
 * accept(2) reports first. */
static bool is_of_the_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static bool is_starved(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM;
}

/* On the host's stack, so that a task that is stopped leaves no descriptor
 * behind. */
static enum verdict accept_one(struct worker *worker, struct moat_task *task)
{
    int listener = task->wish.of_fd.fd;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const struct descriptor *record =
        moat_descriptor_record(worker->run, listener);

    if (fd < 0)
        return moat_newcomer_refuse(task, errno);
    /* It is of the listener's protocol. */
    return moat_newcomer_answer(worker, task, fd,
                                atomic_load(&record->flags) &
                                    (FD_KNOWN | FD_SOCKET | FD_TCP));
}

/* Where the limit is one of descriptors, a spare one helps. */
static bool is_used_up(int error)
{
    return error == EMFILE || error == ENFILE;
}

static void keep_spare(struct sched *run)
{
    if (run->spare < 0)
        run->spare = eventfd(0, EFD_CLOEXEC);
}

static enum verdict accept_sparing(struct worker *worker,
                                   struct moat_task *task)
{
    keep_spare(worker->run);
    return accept_one(worker, task);
}

/* Accepts a connection by the spare descriptor's number, and closes it. The
 * system may report EMFILE although no connection waits. */
static enum verdict refuse_one(struct worker *worker, struct moat_task *task)
{
    struct sched *run = worker->run;
    int fd, error;

    if (run->spare >= 0)
        (void)close(run->spare);
    run->spare = -1;
    fd = accept4(task->wish.of_fd.fd, NULL, NULL, SOCK_CLOEXEC);
    error = errno;
    if (fd >= 0)
        (void)close(fd);
    keep_spare(run);
    return fd >= 0 ? answer(task, MOAT_OK) : moat_newcomer_refuse(task, error);
}

static enum verdict wait_for_room(struct worker *worker, struct moat_task *task)
{
    return moat_sched_wait(worker, task, &worker->run->starved, task->deadline,
                           (const void *)(uintptr_t)task->wish.of_fd.fd);
}

static const struct op accepts = {.perform = accept_one,
                                  .words = "accepts at descriptor"};
static const struct op accepts_sparing = {.perform = accept_sparing,
                                          .words = "accepts at descriptor"};
static const struct op refuses = {.perform = refuse_one,
                                  .words = "refuses at descriptor"};
static const struct op starves = {.perform = wait_for_room,
                                  .words =
                                      "waits for a free one, at descriptor",
                                  .late = MOAT_E_TIMEOUT,
                                  .from_outside = true,
                                  .for_fd = true};

/* False: errno is set. */
static bool starve(const struct call *call)
{
    uint64_t now = moat_now();
    uint64_t again = now + STARVED_NS;
    moat_status status;

    call->task->wish.of_fd.fd = call->fd;
    call->task->deadline = again < call->deadline ? again : call->deadline;
    status = call->deadline <= now ? MOAT_E_TIMEOUT : ask(call->task, &starves);
    if (status == MOAT_OK ||
        (status == MOAT_E_TIMEOUT && moat_now() < call->deadline))
        return true;
    errno = moat_descriptor_errno(status);
    return false;
}

/* Called when errno is EMFILE or ENFILE. True: a client was refused. */
static bool refuse_client(const struct call *call)
{
    call->task->wish.of_fd.fd = call->fd;
    if (ask(call->task, &refuses) == MOAT_OK)
        return true;
    errno = call->task->wish.of_fd.error;
    return false;
}

/* Returns whether to try again after an attempt that has failed. */
static bool may_accept_yet(const struct call *call, uint64_t *refused)
{
    if (refused != NULL && is_used_up(errno) && refuse_client(call)) {
        ++*refused;
        return true;
    }
    if (is_of_the_connection(errno))
        return true;
    return is_starved(errno) ? starve(call) : try_again(call);
}

static int accept_by(int fd, uint64_t deadline, const struct op *op,
                     uint64_t *refused)
{
    struct call call;

    if (!begin_call(&call, fd, SIDE_READ, deadline))
        return -1;
    do {
        before_try(&call);
        call.task->wish.of_fd.fd = fd;
        if (ask(call.task, op) == MOAT_OK)
            return call.task->wish.of_fd.fd;
        errno = call.task->wish.of_fd.error;
    } while (may_accept_yet(&call, refused));
    return -1;
}

int moat_accept(int fd, uint64_t deadline)
{
    return accept_by(fd, deadline, &accepts, NULL);
}

int moat_accept_refusing(int fd, uint64_t deadline, uint64_t *refused)
{
    uint64_t unused = 0;

    return accept_by(fd, deadline, &accepts_sparing,
                     refused != NULL ? refused : &unused);
}

/* ---- Connect ------------------------------------------------------------ */

static int result_of_connect(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -1;
    errno = error;
    return error == 0 ? 0 : -1;
}

int moat_connect(int fd, const struct sockaddr *address, unsigned length,
                 uint64_t deadline)
{
    struct call call;
    moat_status status;

    if (!begin_call(&call, fd, SIDE_WRITE, deadline))
        return -1;
    while (connect(fd, address, length) != 0) {
        if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR) {
            status = moat_fd_wait(fd, MOAT_FD_WRITE, deadline);
            if (status == MOAT_OK)
                return result_of_connect(fd);
            errno = moat_descriptor_errno(status);
            return -1;
        }
        /* A local socket whose queue is full: no event comes when it has room.
         */
        if (errno != EAGAIN || !starve(&call))
            return -1;
    }
    return 0;
}

/* ---- Datagrams ---------------------------------------------------------- */

static uint64_t deadline_by(int flags, uint64_t deadline)
{
    return (flags & MSG_DONTWAIT) != 0 ? 0 : deadline;
}

ssize_t moat_recvfrom(int fd, void *buffer, size_t size, int flags,
                      struct sockaddr *address, unsigned *length,
                      uint64_t deadline)
{
    struct call call;
    ssize_t got;

    if (!begin_call(&call, fd, SIDE_READ, deadline_by(flags, deadline)))
        return -1;
    do {
        before_try(&call);
        got = recvfrom(fd, buffer, size, flags, address, length);
    } while (got < 0 && try_again(&call));
    return got;
}

ssize_t moat_sendto(int fd, const void *bytes, size_t size, int flags,
                    const struct sockaddr *address, unsigned length,
                    uint64_t deadline)
{
    struct call call;
    ssize_t sent;

    if (!begin_call(&call, fd, SIDE_WRITE, deadline_by(flags, deadline)))
        return -1;
    do {
        before_try(&call);
        sent = sendto(fd, bytes, size, flags | MSG_NOSIGNAL, address, length);
    } while (sent < 0 && try_again(&call));
    return sent;
}
