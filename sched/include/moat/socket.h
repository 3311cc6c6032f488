/*
 * socket.h: sockets: listening, accepting, connecting, datagrams, by tasks.
 * <moat/sched.h> includes it. The conventions are those of <moat/io.h>.
 *
 * Sockets that are made here are non-blocking and close at an exec. Lengths of
 * addresses are socklen_t's, which is unsigned; <sys/socket.h> is not included,
 * for the many names that it takes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SOCKET_H
#define MOAT_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <moat/export.h>
#include <moat/task.h>

struct sockaddr;

MOAT_BEGIN_DECLS

/**
 * Accepts a connection, and waits until there is one.
 *
 * When descriptors or the kernel's memory for sockets are used up (EMFILE,
 * ENFILE, ENOBUFS, ENOMEM) the call waits until moat_close has closed one, and
 * tries again every 50 ms: new clients wait in the kernel's queue, and the
 * others go on. A connection that broke before it was accepted is skipped.
 *
 * @param fd        a socket that listens
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return the connection; -1: errno is set: that of accept(2), or one that
 *         <moat/io.h> lists
 *
 * Ownership:     the caller's, until moat_close
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_accept_spawn, moat_accept_refusing, moat_listen_tcp
 */
MOAT_API int moat_accept(int fd, uint64_t deadline);

/**
 * Accepts a connection as moat_accept does, but refuses clients while
 * descriptors are used up (EMFILE, ENFILE): it accepts them and closes their
 * connections at once, so that they need not wait in the kernel's queue.
 *
 * The run keeps a spare descriptor for that, from the first of these calls to
 * its end. Where there was none to keep, or another thread of the process has
 * taken it in the moment of a refusal, the call waits as moat_accept does.
 *
 * @param fd        a socket that listens
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param refused    NULL, or a number to which the clients that were
 *                         refused are added, whatever is returned
 *
 * @return as moat_accept
 *
 * Ownership:     the caller's, until moat_close
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_accept
 */
MOAT_API int moat_accept_refusing(int fd, uint64_t deadline, uint64_t *refused);

/**
 * Accepts a connection, and starts a task for it.
 *
 * The connection belongs to the task: it is closed when that has ended, in
 * whatever way, also if it was cancelled before its first turn. moat_close
 * closes it before. There is no moment at which it has no owner: neither a
 * limit nor a cancellation of the caller can leak it.
 *
 * @param fd        a socket that listens
 * @param group     as in moat_task_spawn
 * @param fn        the task's function; not NULL. Its argument is the
 *                  connection, as (void *)(intptr_t)
 * @param options   as in moat_task_spawn
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 * @param refused   NULL: while descriptors are used up clients wait, as by
 *                  moat_accept; otherwise they are refused and counted, as by
 *                  moat_accept_refusing
 *
 * @return 0; -1: errno is set: that of accept(2), or one that <moat/io.h>
 *         lists, or, and the connection is closed,
 *         EINVAL     fn is NULL; group is no group; options that
 *                    moat_task_spawn refuses
 *         ECANCELED  the group is cancelled
 *         ENOMEM     no memory for the task
 *
 * Ownership:     the task's
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_accept, moat_task_spawn
 */
MOAT_API int moat_accept_spawn(int fd, moat_group *group, moat_task_fn fn,
                               const moat_task_options *options,
                               uint64_t deadline, uint64_t *refused);

/**
 * Listens for TCP connections.
 *
 * The address may be used again at once after the program has ended
 * (SO_REUSEADDR). getsockname(2) returns the port that the kernel has chosen.
 *
 * @param host     a name or an address; NULL: all addresses, IPv6 and IPv4
 * @param port     a number or a service's name; "0": the kernel chooses
 * @param backlog  connections that may wait to be accepted; at most 0: as many
 *                 as the system allows
 *
 * @return the socket; -1: errno is set: that of socket(2), bind(2) or
 *         listen(2), or one that <moat/io.h> lists, or
 *         ENOENT  the name or the service does not exist
 *         EAGAIN  the name server does not answer
 *         EINVAL  port is NULL; a name is too long
 *
 * Ownership:     the caller's, until moat_close
 * Thread-safety: a task, or any thread that has no run or drives it
 * Signal-safety: no
 * Legal in:      a task, or the host, for which it is an ordinary call that may
 *                block
 * See also:      moat_accept
 */
MOAT_API int moat_listen_tcp(const char *host, const char *port, int backlog);

/**
 * Makes a TCP connection, and waits until it is made.
 *
 * A name is looked up on another thread (moat_offload). Its addresses are tried
 * one after the other.
 *
 * @param host      a name or an address; NULL: this machine
 * @param port      a number or a service's name
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return the connection; -1: errno is set: that of socket(2) or connect(2) for
 *         the last address, or one that <moat/io.h> lists, or
 *         ENOENT  the name or the service does not exist
 *         EAGAIN  the name server does not answer
 *         EINVAL  host and port are NULL; a name is too long
 *
 * Ownership:     the caller's, until moat_close. If the caller is cancelled
 *                meanwhile the socket is closed
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task
 * See also:      moat_connect
 */
MOAT_API int moat_dial_tcp(const char *host, const char *port,
                           uint64_t deadline);

/**
 * Connects a socket of the caller's, of any kind, and waits until it is
 * connected.
 *
 * @param fd        a socket
 * @param address   of the other side
 * @param length    bytes of it
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return 0; -1: errno is set: that of connect(2), or one that <moat/io.h>
 *         lists. After a failure the socket can only be closed
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task; where it need not wait, moat_co_defer and
 *                moat_call_on_parent
 * See also:      moat_dial_tcp
 */
MOAT_API int moat_connect(int fd, const struct sockaddr *address,
                          unsigned length, uint64_t deadline);

/**
 * Receives a datagram, or bytes of a stream, as recvfrom(2), and waits until
 * there is something.
 *
 * @param fd        a socket
 * @param buffer    where the bytes go
 * @param size      bytes of it
 * @param flags     those of recvfrom(2). MSG_DONTWAIT is a deadline of 0.
 *                  MSG_WAITALL has no effect
 * @param[out] address  NULL, or the sender's address
 * @param length    NULL, or bytes of `address`, before and after
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return bytes received; -1: errno is set: that of recvfrom(2), or one that
 *         <moat/io.h> lists
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task; where it need not wait, moat_co_defer and
 *                moat_call_on_parent
 * See also:      moat_sendto
 */
MOAT_API ssize_t moat_recvfrom(int fd, void *buffer, size_t size, int flags,
                               struct sockaddr *address, unsigned *length,
                               uint64_t deadline);

/**
 * Sends a datagram, or as many bytes of a stream as there is room for, as
 * sendto(2), and waits until there is room.
 *
 * @param fd        a socket
 * @param bytes     what to send
 * @param size      how many
 * @param flags     those of sendto(2). MSG_DONTWAIT is a deadline of 0.
 *                  MSG_NOSIGNAL is always set
 * @param address   of the receiver; NULL: that of moat_connect
 * @param length    bytes of `address`
 * @param deadline  on moat_now; MOAT_NO_DEADLINE; 0: does not wait
 *
 * @return bytes sent; -1: errno is set: that of sendto(2), or one that
 *         <moat/io.h> lists
 *
 * Ownership:     unchanged
 * Thread-safety: a task
 * Signal-safety: no
 * Legal in:      a task; where it need not wait, moat_co_defer and
 *                moat_call_on_parent
 * See also:      moat_recvfrom, moat_write
 */
MOAT_API ssize_t moat_sendto(int fd, const void *bytes, size_t size, int flags,
                             const struct sockaddr *address, unsigned length,
                             uint64_t deadline);

MOAT_END_DECLS

#endif
