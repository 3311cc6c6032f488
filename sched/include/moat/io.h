/*
 * io.h: waiting for file descriptors, reading and writing, by tasks.
 * <moat/sched.h> includes it.
 *
 * The calls look as if they blocked, and suspend only the task. They keep to
 * the conventions of read(2): -1 and errno. Besides those of the system call
 * itself, errno may be
 *
 *     ETIMEDOUT  the deadline has passed
 *     ECANCELED  the caller is being unwound, and would have to wait
 *     EPERM      the caller is a host call or a deferred function and would
 *                have to wait; or it is not in a run, or is a coroutine inside
 *                a task
 *     EBADF      not open, or closed by moat_close while the task waited
 *     ENOMEM     no memory for the wait
 *
 * A call waits only where the system call itself would block. The first call on
 * a descriptor makes it non-blocking (O_NONBLOCK), also for all others
 * that share it, and it stays so. Files are always ready: such a call takes as
 * long as the disk (moat_offload).
 *
 * Close a descriptor that was used here by moat_close, since a run
 * remembers it by its number. Several tasks may wait for the same descriptor;
 * which of several readers gets what comes is not defined.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_IO_H
#define MOAT_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <moat/export.h>
#include <moat/status.h>

/* Events of moat_fd_wait. */
#define MOAT_FD_READ  1
#define MOAT_FD_WRITE 2

struct iovec;

MOAT_BEGIN_DECLS

/**
 * Waits until a descriptor is ready, as poll(2) defines it.
 *
 * The end of a stream and an error count as ready. For programs that do their
 * I/O by other functions, such as those of a library; the descriptor should be
 * non-blocking, and is not changed.
 *
 * @param fd        a descriptor
 * @param events    MOAT_FD_READ, MOAT_FD_WRITE, or both: either
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL      fd is not open; events is something else
 *         MOAT_E_STATE      the caller is not a task
 *         MOAT_E_TIMEOUT    the deadline has passed
 *         MOAT_E_CANCELLED  the caller is being unwound, and would have to wait
 *         MOAT_E_CLOSED     moat_close was called for fd
 *         MOAT_E_NOMEM      no memory
 *         MOAT_E_SYSTEM     a system call failed; see errno
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_read, moat_close
 */
MOAT_API MOAT_NODISCARD moat_status moat_fd_wait(int fd, int events,
                                                 uint64_t deadline);

/**
 * Reads what there is, and waits until there is something.
 *
 * @param fd        a descriptor
 * @param buffer    where the bytes go; a bad address is an error, EFAULT
 * @param size      bytes of it
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return bytes read, at most size; 0: the end; -1: errno is set: that of
 *         read(2), or one that <moat/io.h> lists
 *
 * Ownership:     unchanged. The kernel writes to the buffer only while the
 *                caller runs
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task; where it need not wait, moat_co_defer and
 *                moat_call_on_parent
 * Cost:          that of read(2); a wait is two switches, and one more system
 *                call for all descriptors that are ready
 * See also:      moat_readv, moat_write, moat_recvfrom
 */
MOAT_API ssize_t moat_read(int fd, void *buffer, size_t size,
                           uint64_t deadline);

/**
 * Writes all bytes.
 *
 * If it fails, a part may have been written. A socket whose other side has
 * closed is an error, EPIPE, and no signal; for a pipe the system raises
 * SIGPIPE, as write(2) does.
 *
 * @param fd        a descriptor
 * @param bytes     what to write; a bad address is an error, EFAULT
 * @param size      how many
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return size; -1: errno is set: that of write(2), or one that <moat/io.h>
 *         lists
 *
 * Ownership:     unchanged. The kernel reads the bytes only while the caller
 *                runs
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task; where it need not wait, moat_co_defer and
 *                moat_call_on_parent
 * See also:      moat_writev, moat_read, moat_sendto
 */
MOAT_API ssize_t moat_write(int fd, const void *bytes, size_t size,
                            uint64_t deadline);

/**
 * Reads into several buffers, as readv(2): what there is, and waits until there
 * is something. struct iovec is that of <sys/uio.h>.
 *
 * @param fd        a descriptor
 * @param buffers   filled one after the other
 * @param count     how many; at most IOV_MAX
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return bytes read; 0: the end; -1: errno is set: that of readv(2), or one
 *         that <moat/io.h> lists
 *
 * Ownership:     as moat_read
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      as moat_read
 * See also:      moat_read
 */
MOAT_API ssize_t moat_readv(int fd, const struct iovec *buffers, int count,
                            uint64_t deadline);

/**
 * Writes all bytes of several buffers, as moat_write does those of one. struct
 * iovec is that of <sys/uio.h>.
 *
 * @param fd        a descriptor
 * @param buffers   written one after the other; not changed
 * @param count     how many; at most IOV_MAX
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return the sum of the sizes; -1: errno is set: that of writev(2), or one
 *         that <moat/io.h> lists. EINVAL: too many buffers, or the sum is no
 *         ssize_t
 *
 * Ownership:     as moat_write
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      as moat_write
 * See also:      moat_write
 */
MOAT_API ssize_t moat_writev(int fd, const struct iovec *buffers, int count,
                             uint64_t deadline);

/**
 * Closes a descriptor. Tasks of this run that wait for it get EBADF or
 * MOAT_E_CLOSED.
 *
 * Outside of a run it is close(2).
 *
 * @param fd  a descriptor
 *
 * @return 0; -1: errno is set, as by close(2); after EINTR or EIO the
 *         descriptor is closed. EPERM: the caller is a coroutine inside a task
 *
 * Ownership:     ends the caller's
 * Thread-safety: a task, or any thread that has no run. A task of another
 *                thread must not be in a call with the descriptor, unless it
 *                waits there
 * Signal-safety: no
 * Legal in:      a task, moat_co_defer, moat_call_on_parent, or the host
 */
MOAT_API int moat_close(int fd);

MOAT_END_DECLS

#endif
