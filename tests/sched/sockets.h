/*
 * sockets.h: what the tests of descriptors share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SCHED_SOCKETS_H
#define TESTS_SCHED_SOCKETS_H

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/scene.h"

/* A failed call has this errno. */
#define EXPECT_ERRNO(call, error)  \
    do {                           \
        errno = 0;                 \
        EXPECT_EQ((call), -1);     \
        EXPECT_EQ(errno, (error)); \
    } while (0)

static inline void pair_of(int fds[2])
{
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

static inline void pipe_of(int fds[2])
{
    REQUIRE(pipe(fds) == 0);
}

/* "0" lets the kernel choose the port; this one then tells which. */
static inline void port_of(int fd, char port[8])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    const struct sockaddr_in *in = (const void *)&address;

    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    /* In sockaddr_in6 the port is at the same offset. */
    (void)snprintf(port, 8, "%d", ntohs(in->sin_port));
}

/* A listening socket on the loopback address. */
static inline int listener_of(char port[8])
{
    int fd = moat_listen_tcp("127.0.0.1", "0", 0);

    REQUIRE(fd >= 0);
    port_of(fd, port);
    return fd;
}

static inline int dial(const char *port)
{
    return moat_dial_tcp("127.0.0.1", port, NEVER);
}

/* Two ends of a TCP connection. */
static inline void tcp_of(int fds[2])
{
    char port[8];
    int listener = listener_of(port);

    fds[0] = dial(port);
    REQUIRE(fds[0] >= 0);
    fds[1] = moat_accept(listener, NEVER);
    REQUIRE(fds[1] >= 0);
    EXPECT_EQ(moat_close(listener), 0);
}

static inline void close_both(const int fds[2])
{
    EXPECT_EQ(moat_close(fds[0]), 0);
    EXPECT_EQ(moat_close(fds[1]), 0);
}

static inline int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    REQUIRE(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* A job's thread may keep that of a bell for a moment longer than the run. */
static inline void expect_descriptors(int count)
{
    for (int i = 0; i < 10000 && open_descriptors() != count; i++)
        (void)usleep(1000);
    EXPECT_EQ(open_descriptors(), count);
}

#endif
