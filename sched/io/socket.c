/*
 * socket.c: connecting, and datagrams.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/socket.h>

#include <moat/io.h>
#include <moat/socket.h>

#include "sched/io/accept.h"
#include "sched/io/calls.h"

_Static_assert(_Generic((socklen_t)0, unsigned : 1, default : 0),
               "the header has unsigned for socklen_t");

/* ---- Connect ------------------------------------------------------------ */

static int result_of_connect(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -1;
    TASK_ERRNO = error;
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
        int error = TASK_ERRNO;

        if (error == EINPROGRESS || error == EALREADY || error == EINTR) {
            status = moat_fd_wait(fd, MOAT_FD_WRITE, deadline);
            if (status == MOAT_OK)
                return result_of_connect(fd);
            TASK_ERRNO = moat_descriptor_errno(status);
            return -1;
        }
        /* A local socket whose queue is full: no event comes when it has room.
         */
        if (error != EAGAIN || !moat_accept_starve(&call))
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
