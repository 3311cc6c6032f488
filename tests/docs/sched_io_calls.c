/*
 * sched_io_calls.c: one call of each function of moat-sched for descriptors,
 * child processes, signals and other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched_calls.h"

#define NEVER MOAT_NO_DEADLINE

/* ---- Things ---- */

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* A TCP listener, for its port. */
static in_port_t listen_somewhere(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(fd, (struct sockaddr *)&address, length) == 0);
    check(listen(fd, 8) == 0);
    check(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static void connect_to(int fd, int listener)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;

    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    check(connect(fd, (struct sockaddr *)&address, length) == 0);
}

/* A socket with a byte to read, and a listener with a connection to accept.
 * They are local ones, at which things happen at once. */
void sched_io_make(struct things *things)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int type = SOCK_STREAM | SOCK_CLOEXEC, pair[2];
    sigset_t signals;

    check(socketpair(AF_UNIX, type, 0, pair) == 0);
    check(write(pair[1], "x", 1) == 1);
    things->socket = pair[0];
    things->listener = socket(AF_UNIX, type, 0);
    things->fresh = socket(AF_UNIX, type, 0);
    /* The system chooses a name. */
    check(bind(things->listener, (struct sockaddr *)&address,
               sizeof address.sun_family) == 0);
    check(listen(things->listener, 8) == 0);
    connect_to(socket(AF_UNIX, type, 0), things->listener);
    things->port = listen_somewhere();
    check(sigemptyset(&signals) == 0 && sigaddset(&signals, SIGUSR1) == 0);
    check(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
}

static void *return_it(void *arg)
{
    return arg;
}

/* ---- Calls ---- */

static const char *status_of(moat_status status)
{
    return moat_status_name(status) + 5;
}

/* The result of a call that sets errno. */
static const char *result_of(ssize_t result)
{
    return result >= 0 ? "OK" : strerrorname_np(errno);
}

/* The descriptor, or none. */
#define FD(thing) (things->is_null ? -1 : things->thing)

const char *make_fd_wait(struct things *things)
{
    return status_of(moat_fd_wait(FD(socket), MOAT_FD_READ, NEVER));
}

const char *make_read(struct things *things)
{
    return result_of(moat_read(FD(socket), (char[1]){0}, 1, NEVER));
}

const char *make_write(struct things *things)
{
    return result_of(moat_write(FD(socket), "y", 1, NEVER));
}

const char *make_readv(struct things *things)
{
    char byte;
    struct iovec buffer = {&byte, 1};

    return result_of(moat_readv(FD(socket), &buffer, 1, NEVER));
}

const char *make_writev(struct things *things)
{
    char byte = 'y';
    struct iovec buffer = {&byte, 1};

    return result_of(moat_writev(FD(socket), &buffer, 1, NEVER));
}

const char *make_close(struct things *things)
{
    return result_of(moat_close(FD(socket)));
}

const char *make_accept(struct things *things)
{
    return result_of(moat_accept(FD(listener), NEVER));
}

const char *make_accept_refusing(struct things *things)
{
    return result_of(moat_accept_refusing(FD(listener), NEVER, NULL));
}

const char *make_accept_spawn(struct things *things)
{
    return result_of(
        moat_accept_spawn(FD(listener), NULL, return_it, NULL, NEVER, NULL));
}

const char *make_listen_tcp(struct things *things)
{
    return result_of(
        moat_listen_tcp("127.0.0.1", things->is_null ? NULL : "0", 0));
}

const char *make_dial_tcp(struct things *things)
{
    char port[8];

    (void)snprintf(port, sizeof port, "%d", things->port);
    return result_of(moat_dial_tcp(things->is_null ? NULL : "127.0.0.1",
                                   things->is_null ? NULL : port, NEVER));
}

const char *make_connect(struct things *things)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;

    if (things->is_null)
        return result_of(moat_connect(-1, NULL, 0, NEVER));
    check(getsockname(things->listener, (struct sockaddr *)&address, &length) ==
          0);
    return result_of(moat_connect(things->fresh, (struct sockaddr *)&address,
                                  length, NEVER));
}

const char *make_recvfrom(struct things *things)
{
    return result_of(
        moat_recvfrom(FD(socket), (char[1]){0}, 1, 0, NULL, NULL, NEVER));
}

const char *make_sendto(struct things *things)
{
    return result_of(moat_sendto(FD(socket), "y", 1, 0, NULL, 0, NEVER));
}

const char *make_child_wait(struct things *things)
{
    pid_t child = things->is_null ? 0 : fork();
    siginfo_t info;

    if (child == 0 && !things->is_null)
        _exit(0);
    /* It has ended, so that the call need not wait. */
    check(child <= 0 ||
          waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    return status_of(moat_child_wait(child, NEVER, NULL));
}

const char *make_signal_wait(struct things *things)
{
    int number = SIGUSR1;

    if (!things->is_null && moat_task_self() != NULL)
        check(raise(number) == 0);
    return status_of(
        moat_signal_wait(things->is_null ? NULL : &number, 1, NEVER, NULL));
}

const char *make_offload(struct things *things)
{
    return status_of(
        moat_offload(things->is_null ? NULL : return_it, NULL, NULL));
}

const char *make_offload_until(struct things *things)
{
    return status_of(moat_offload_until(things->is_null ? NULL : return_it,
                                        NULL, NULL, NEVER, NULL));
}
