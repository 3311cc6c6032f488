/*
 * read.c: reading and writing, waiting for either, and closing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <moat/io.h>

#include "sched/io/calls.h"
#include "sched/refuse.h"
#include "sched/wait.h"

/* ---- Read --------------------------------------------------------------- */

/*
 * A TCP socket that gave less than was asked for is empty. Until its next edge
 * another try would be in vain, so the next read by the same task waits first.
 * The task's own memory has that knowledge: one that is stopped takes it along.
 */
static bool is_drained(const struct call *call)
{
    return call->task->drained == call->record &&
           call->task->drained_edges == call->edges &&
           (flags_of(call->record) & FD_ENDS) == 0;
}

static void note_drained(const struct call *call, size_t asked, ssize_t got)
{
    uint32_t flags = flags_of(call->record);
    bool is_drained = (flags & FD_TCP) != 0 && got > 0 && (size_t)got < asked;

    call->task->drained = is_drained ? call->record : NULL;
    call->task->drained_edges = call->edges;
}

/* False: errno is set. */
static bool begin_read(struct call *call, int fd, uint64_t deadline)
{
    if (!begin_call(call, fd, SIDE_READ, deadline))
        return false;
    before_try(call);
    /* If the wait fails something may have come all the same, unless the number
     * is another descriptor's by now. */
    return !is_drained(call) ||
           moat_descriptor_block(call->task, call->record, fd, SIDE_READ,
                                 call->edges, deadline) ||
           TASK_ERRNO != EBADF;
}

/* For sockets recvfrom is the shorter way into the kernel. It would wait if no
 * byte were asked for. */
static ssize_t get(const struct call *call, void *buffer, size_t size)
{
    if ((flags_of(call->record) & FD_SOCKET) != 0 && size != 0)
        return recvfrom(call->fd, buffer, size, 0, NULL, NULL);
    return read(call->fd, buffer, size);
}

ssize_t moat_read(int fd, void *buffer, size_t size, uint64_t deadline)
{
    struct call call;
    ssize_t got;

    if (!begin_read(&call, fd, deadline))
        return -1;
    do {
        before_try(&call);
        got = get(&call, buffer, size);
    } while (got < 0 && try_again(&call));
    if (got >= 0)
        note_drained(&call, size, got);
    return got;
}

/* The sum of the sizes. -1: errno is set. */
static ssize_t sum_of(const struct iovec *buffers, int count)
{
    size_t sum = 0;

    TASK_ERRNO = EINVAL;
    if (count < 0 || count > IOV_MAX)
        return -1;
    for (int i = 0; i < count; i++)
        if (__builtin_add_overflow(sum, buffers[i].iov_len, &sum) ||
            sum > (size_t)SSIZE_MAX)
            return -1;
    return (ssize_t)sum;
}

ssize_t moat_readv(int fd, const struct iovec *buffers, int count,
                   uint64_t deadline)
{
    struct call call;
    ssize_t got, size;

    if (!begin_read(&call, fd, deadline))
        return -1;
    size = sum_of(buffers, count);
    if (size < 0)
        return -1;
    do {
        before_try(&call);
        got = readv(fd, buffers, count);
    } while (got < 0 && try_again(&call));
    if (got >= 0)
        note_drained(&call, (size_t)size, got);
    return got;
}

/* ---- Write -------------------------------------------------------------- */

static ssize_t put(const struct call *call, const char *bytes, size_t size)
{
    if ((flags_of(call->record) & FD_SOCKET) != 0)
        return send(call->fd, bytes, size, MSG_NOSIGNAL);
    return write(call->fd, bytes, size);
}

ssize_t moat_write(int fd, const void *bytes, size_t size, uint64_t deadline)
{
    struct call call;
    size_t done = 0;

    if (!begin_call(&call, fd, SIDE_WRITE, deadline))
        return -1;
    do {
        ssize_t count;

        before_try(&call);
        count = put(&call, (const char *)bytes + done, size - done);
        if (count >= 0)
            done += (size_t)count;
        else if (!try_again(&call))
            return -1;
    } while (done < size);
    return (ssize_t)size;
}

static ssize_t put_all(const struct call *call, const struct iovec *buffers,
                       int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)buffers,
                             .msg_iovlen = (size_t)count};

    if ((flags_of(call->record) & FD_SOCKET) != 0)
        return sendmsg(call->fd, &message, MSG_NOSIGNAL);
    return writev(call->fd, buffers, count);
}

/* Buffers of a call that goes on after one that has written a part. */
#define PARTS 16

/* Goes on after `done` bytes. The caller's buffers stay as they are. */
static ssize_t put_rest(const struct call *call, const struct iovec *buffers,
                        int count, size_t done)
{
    struct iovec parts[PARTS];
    int chosen = 0;

    for (int i = 0; i < count && chosen < PARTS; i++) {
        size_t size = buffers[i].iov_len;
        size_t skipped = done < size ? done : size;

        done -= skipped;
        if (skipped == size)
            continue;
        parts[chosen].iov_base = (char *)buffers[i].iov_base + skipped;
        parts[chosen++].iov_len = size - skipped;
    }
    return put_all(call, parts, chosen);
}

ssize_t moat_writev(int fd, const struct iovec *buffers, int count,
                    uint64_t deadline)
{
    struct call call;
    ssize_t size, done = 0;

    if (!begin_call(&call, fd, SIDE_WRITE, deadline))
        return -1;
    size = sum_of(buffers, count);
    if (size < 0)
        return -1;
    do {
        ssize_t put;

        before_try(&call);
        /* All at once at first: a datagram is not taken apart. */
        put = done == 0 ? put_all(&call, buffers, count)
                        : put_rest(&call, buffers, count, (size_t)done);
        if (put >= 0)
            done += put;
        else if (!try_again(&call))
            return -1;
    } while (done < size);
    return size;
}

/* ---- Wait --------------------------------------------------------------- */

/* 1: it is ready; 0: it is not; -1: errno is set. */
static int is_ready(int fd, int events)
{
    struct pollfd poll_fd = {.fd = fd};
    int count;

    poll_fd.events = (short)(((events & MOAT_FD_READ) != 0 ? POLLIN : 0) |
                             ((events & MOAT_FD_WRITE) != 0 ? POLLOUT : 0));
    do
        count = poll(&poll_fd, 1, 0);
    while (count < 0 && TASK_ERRNO == EINTR);
    if (count > 0 && (poll_fd.revents & POLLNVAL) != 0) {
        TASK_ERRNO = EBADF;
        return -1;
    }
    return count;
}

static moat_status failure(int fd)
{
    uint64_t number = (uint64_t)(int64_t)fd;

    if (TASK_ERRNO == EBADF)
        return refuse_value("fd is %d: no open descriptor", number);
    if (TASK_ERRNO == ENOMEM)
        return MOAT_E_NOMEM;
    return moat_error_note(MOAT_E_SYSTEM,
                           "fd is %d: it cannot be waited for: %e", number, 0);
}

static unsigned sides_of(int events)
{
    return ((events & MOAT_FD_READ) != 0 ? 1u << SIDE_READ : 0) |
           ((events & MOAT_FD_WRITE) != 0 ? 1u << SIDE_WRITE : 0);
}

moat_status moat_fd_wait(int fd, int events, uint64_t deadline)
{
    struct moat_task *task = asker();
    moat_status status = MOAT_OK;
    struct descriptor *record;

    if (events == 0 || (events & ~(MOAT_FD_READ | MOAT_FD_WRITE)) != 0)
        return refuse_value("events is %d: it must be MOAT_FD_READ, "
                            "MOAT_FD_WRITE or both",
                            (uint64_t)(int64_t)events);
    if (task == NULL || is_host(task))
        return MOAT_E_STATE;
    record = moat_descriptor_find(task, fd);
    if (record == NULL)
        return failure(fd);
    while (status == MOAT_OK) {
        uint32_t edges[SIDES] = {edges_of(record, SIDE_READ),
                                 edges_of(record, SIDE_WRITE)};
        int ready = is_ready(fd, events);

        if (ready != 0)
            return ready > 0 ? MOAT_OK : failure(fd);
        status = moat_descriptor_wait(task, record, fd, sides_of(events), edges,
                                      deadline);
    }
    if (status == MOAT_E_SYSTEM)
        return failure(fd);
    return status == MOAT_E_UNSUPPORTED ? MOAT_OK : status;
}

/* ---- Close -------------------------------------------------------------- */

static enum verdict close_it(struct worker *worker, struct moat_task *task)
{
    task->wish.of_fd.error = moat_descriptor_close(worker, task->wish.of_fd.fd);
    return answer(task, MOAT_OK);
}

static const struct op closes = {.perform = close_it,
                                 .words = "closes a descriptor"};

int moat_close(int fd)
{
    struct moat_task *task = asker();

    if (task == NULL && moat_sched_worker == NULL && moat_co_current() == NULL)
        return close(fd);
    if (task != NULL) {
        task->wish.of_fd.fd = fd;
        (void)ask(task, &closes);
        if (task->wish.of_fd.error == 0)
            return 0;
    }
    TASK_ERRNO = task != NULL ? task->wish.of_fd.error : EPERM;
    return -1;
}
