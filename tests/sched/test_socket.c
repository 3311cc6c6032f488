/*
 * test_socket.c: connections and datagrams, and what peers may do to them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "sched/sockets.h"

#define LARGE ((size_t)8 << 20)

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    int before = open_descriptors();
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

/* ---- Connections ----------------------------------------------------------
 */

static void *echoes(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[512];
    ssize_t got;

    while ((got = moat_read(fd, bytes, sizeof bytes, NEVER)) > 0)
        EXPECT_EQ(moat_write(fd, bytes, (size_t)got, NEVER), got);
    EXPECT_EQ(got, 0);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

/* Until the listener is closed. */
static void *accepts(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;

    while ((fd = moat_accept(listener, NEVER)) >= 0)
        (void)spawn(echoes, (void *)(intptr_t)fd);
    EXPECT_EQ(errno, EBADF);
    return arg;
}

static void talk(int fd)
{
    char bytes[64];

    REQUIRE(fd >= 0);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(moat_write(fd, "hello", 5, NEVER), 5);
        for (ssize_t got = 0, now; got < 5; got += now) {
            now = moat_read(fd, bytes + got, sizeof bytes - 5, NEVER);
            REQUIRE(now > 0);
        }
        EXPECT(memcmp(bytes, "hello", 5) == 0);
    }
}

static void *dials(void *arg)
{
    int fd = dial(arg);

    talk(fd);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

#define CLIENTS 50

static void serve(const char *host, const char *name)
{
    moat_task *clients[CLIENTS], *server;
    int listener = moat_listen_tcp(host, "0", 100), fd;
    char port[8];

    REQUIRE(listener >= 0);
    port_of(listener, port);
    server = spawn(accepts, (void *)(intptr_t)listener);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = spawn(dials, port);
    for (int i = 0; i < CLIENTS; i++)
        EXPECT_EQ(join(clients[i]).kind, MOAT_EVENT_RETURN);
    fd = moat_dial_tcp(name, port, NEVER);
    talk(fd);
    EXPECT_EQ(moat_close(fd), 0);
    EXPECT_EQ(moat_close(listener), 0);
    EXPECT_EQ(join(server).kind, MOAT_EVENT_RETURN);
}

static void *serves(void *arg)
{
    serve("127.0.0.1", "localhost"); /* the name is looked up */
    serve(NULL, NULL);
    return arg;
}

static void *is_refused(void *arg)
{
    char port[8], large[300];
    int listener = listener_of(port);

    EXPECT_EQ(moat_close(listener), 0);
    EXPECT_ERRNO(moat_dial_tcp("127.0.0.1", port, NEVER), ECONNREFUSED);
    EXPECT_ERRNO(moat_dial_tcp("127.0.0.1", "no such service", NEVER), ENOENT);
    EXPECT_ERRNO(moat_listen_tcp("127.0.0.1", "no such service", 0), ENOENT);
    EXPECT_ERRNO(moat_dial_tcp(NULL, NULL, NEVER), EINVAL);
    EXPECT_ERRNO(moat_listen_tcp("127.0.0.1", NULL, 0), EINVAL);
    memset(large, 'a', sizeof large);
    large[sizeof large - 1] = '\0';
    EXPECT_ERRNO(moat_dial_tcp(large, "1", NEVER), EINVAL);
    EXPECT_ERRNO(moat_listen_tcp("127.0.0.1", large, 0), EINVAL);
    /* The address is in use. */
    listener = listener_of(port);
    EXPECT_ERRNO(moat_listen_tcp("127.0.0.1", port, 0), EADDRINUSE);
    EXPECT_ERRNO(moat_accept(listener, moat_now() + MS), ETIMEDOUT);
    EXPECT_ERRNO(moat_accept(listener, 0), ETIMEDOUT);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void connections_are_made(const void *arg)
{
    int fd;

    (void)arg;
    fd = moat_listen_tcp("localhost", "0", 0); /* outside of a run */
    EXPECT(fd >= 0);
    EXPECT_EQ(moat_close(fd), 0);
    run_real(serves);
    run_real(is_refused);
}

/* ---- Ends
 * --------------------------------------------------------------------
 */

/* Data, and the end right after or later: a reader gets both. */
static void read_to_the_end(bool pauses)
{
    char bytes[64];
    int fds[2];

    tcp_of(fds);
    EXPECT_ERRNO(moat_read(fds[0], bytes, 64, moat_now() + MS), ETIMEDOUT);
    EXPECT_EQ(moat_write(fds[1], "abc", 3, NEVER), 3);
    if (!pauses)
        EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_READ, NEVER), MOAT_OK);
    EXPECT_EQ(moat_read(fds[0], bytes, 64, NEVER), 3);
    if (pauses) {
        EXPECT_ERRNO(moat_read(fds[0], bytes, 64, moat_now() + MS), ETIMEDOUT);
        EXPECT_EQ(moat_close(fds[1]), 0);
    }
    EXPECT_EQ(moat_read(fds[0], bytes, 64, NEVER), 0);
    EXPECT_EQ(moat_read(fds[0], bytes, 64, NEVER), 0);
    EXPECT_EQ(moat_close(fds[0]), 0);
}

/* The other side sends no more, and wants the answer. */
static void answer_half_closed(void)
{
    char bytes[64];
    int fds[2];

    tcp_of(fds);
    EXPECT_EQ(moat_write(fds[1], "question", 8, NEVER), 8);
    EXPECT_EQ(shutdown(fds[1], SHUT_WR), 0);
    EXPECT_EQ(moat_read(fds[0], bytes, 64, NEVER), 8);
    EXPECT_EQ(moat_read(fds[0], bytes, 64, NEVER), 0);
    EXPECT_EQ(moat_write(fds[0], "answer", 6, NEVER), 6);
    EXPECT_EQ(moat_read(fds[1], bytes, 64, NEVER), 6);
    close_both(fds);
}

/* Urgent data splits what was sent: a short read is not the last one. */
static void read_around_urgent_data(void)
{
    char bytes[64];
    size_t got = 0;
    int fds[2];

    tcp_of(fds);
    EXPECT_EQ(send(fds[1], "abc", 3, 0), 3);
    EXPECT_EQ(send(fds[1], "!", 1, MSG_OOB), 1);
    EXPECT_EQ(send(fds[1], "defg", 4, 0), 4);
    while (got < 7) {
        ssize_t now = moat_read(fds[0], bytes + got, 64 - got, NEVER);

        REQUIRE(now > 0);
        got += (size_t)now;
    }
    EXPECT(memcmp(bytes, "abcdefg", 7) == 0);
    close_both(fds);
}

static void *writes_to_the_gone(void *arg)
{
    char byte;
    int fds[2];

    tcp_of(fds);
    EXPECT_EQ(moat_close(fds[1]), 0);
    /* The first may still be sent; no SIGPIPE comes. */
    for (int i = 0; i < 1000 && moat_write(fds[0], "x", 1, NEVER) == 1; i++)
        (void)moat_sleep(MS);
    EXPECT(errno == EPIPE || errno == ECONNRESET);
    (void)!moat_read(fds[0], &byte, 1, NEVER);
    EXPECT_EQ(moat_close(fds[0]), 0);
    return arg;
}

static void *sees_ends(void *arg)
{
    read_to_the_end(false);
    read_to_the_end(true);
    answer_half_closed();
    read_around_urgent_data();
    return writes_to_the_gone(arg);
}

static void ends_are_seen(const void *arg)
{
    (void)arg;
    run_real(sees_ends);
}

/* ---- A peer that stops reading, a task that traps ---------------------------
 */

static char *large;

static void close_it(void *arg)
{
    EXPECT_EQ(moat_close((int)(intptr_t)arg), 0);
}

__attribute__((no_sanitize("undefined"))) static void *
writes_and_traps(void *arg)
{
    REQUIRE(moat_co_defer(moat_co_current(), close_it, arg) == MOAT_OK);
    EXPECT_ERRNO(
        moat_write((int)(intptr_t)arg, large, LARGE, moat_now() + 20 * MS),
        ETIMEDOUT);
    *(volatile int *)NULL = 1;
    return arg;
}

/* A task that is cancelled before its first turn has deferred nothing. */
static bool has_begun;

static void *writes_for_ever(void *arg)
{
    REQUIRE(moat_co_defer(moat_co_current(), close_it, arg) == MOAT_OK);
    has_begun = true;
    (void)!moat_write((int)(intptr_t)arg, large, LARGE, NEVER);
    EXPECT(false);
    return arg;
}

static size_t read_the_rest(int fd)
{
    static char bytes[65536];
    size_t sum = 0;
    ssize_t got;

    while ((got = moat_read(fd, bytes, sizeof bytes, NEVER)) > 0)
        sum += (size_t)got;
    EXPECT(got == 0 || errno == ECONNRESET);
    return sum;
}

static void *stops_reading(void *arg)
{
    moat_task *traps, *waits;
    int stuck[2], other[2], live[2];

    tcp_of(stuck);
    tcp_of(other);
    tcp_of(live);
    traps = spawn(writes_and_traps, (void *)(intptr_t)stuck[0]);
    waits = spawn(writes_for_ever, (void *)(intptr_t)other[0]);
    for (int i = 0; i < 20; i++) { /* the others go on */
        char byte;

        EXPECT_EQ(moat_write(live[0], "x", 1, NEVER), 1);
        EXPECT_EQ(moat_read(live[1], &byte, 1, NEVER), 1);
    }
    EXPECT_EQ(join(traps).trap.kind, MOAT_TRAP_NULL);
    while (!has_begun)
        moat_task_yield();
    EXPECT_EQ(moat_task_cancel(waits), MOAT_OK);
    EXPECT_EQ(join(waits).kind, MOAT_EVENT_CANCELLED);
    EXPECT(read_the_rest(stuck[1]) < LARGE);
    EXPECT(read_the_rest(other[1]) < LARGE);
    EXPECT_EQ(moat_close(stuck[1]), 0);
    EXPECT_EQ(moat_close(other[1]), 0);
    close_both(live);
    return arg;
}

static void writers_may_fail(const void *arg)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    moat_sched_stats stats;
    int before = open_descriptors();

    (void)arg;
    large = calloc(1, LARGE);
    REQUIRE(large != NULL);
    stats = run_with(MOAT_CLOCK_REAL, stops_reading, NULL, &result);
    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.trapped, 1);
    EXPECT_EQ(stats.cancelled, 1);
    expect_descriptors(before);
    free(large);
}

/* ---- Dialling and leaving
 * ----------------------------------------------------- */

static void *dials_for_ever(void *arg)
{
    (void)moat_dial_tcp("127.0.0.1", arg, NEVER);
    EXPECT(false);
    return arg;
}

static void *leaves_dials(void *arg)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int listener = socket(AF_INET, SOCK_STREAM, 0), fds[64], count = 0;
    moat_task *task;
    char port[8];

    /* Its queue is full after some, and the next ones wait to be connected. */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(listener, 0) == 0);
    port_of(listener, port);
    while (count < 64 && (fds[count] = moat_dial_tcp(
                              "127.0.0.1", port, moat_now() + 20 * MS)) >= 0)
        count++;
    if (count < 64) {
        EXPECT_EQ(errno, ETIMEDOUT);
        task = spawn(dials_for_ever, port);
        (void)moat_sleep(MS);
        EXPECT_EQ(moat_task_cancel(task), MOAT_OK);
        EXPECT_EQ(join(task).kind, MOAT_EVENT_CANCELLED);
    }
    while (count-- > 0)
        EXPECT_EQ(moat_close(fds[count]), 0);
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void a_dial_that_ends_leaves_nothing(const void *arg)
{
    (void)arg;
    run_real(leaves_dials);
}

/* ---- Datagrams, local sockets
 * ---------------------------------------------------
 */

static int udp_of(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(fd, (struct sockaddr *)address, length) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)address, &length) == 0);
    return fd;
}

static void *answers_datagrams(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    char bytes[64];

    for (int i = 0; i < 10; i++) {
        ssize_t got = moat_recvfrom(fd, bytes, sizeof bytes, 0,
                                    (struct sockaddr *)&from, &length, NEVER);

        EXPECT_EQ(got, i);
        EXPECT_EQ(moat_sendto(fd, bytes, (size_t)got, 0,
                              (struct sockaddr *)&from, length, NEVER),
                  got);
    }
    return arg;
}

static void *sends_datagrams(void *arg)
{
    struct sockaddr_in addresses[2];
    int fds[2] = {udp_of(&addresses[0]), udp_of(&addresses[1])};
    moat_task *task = spawn(answers_datagrams, (void *)(intptr_t)fds[1]);
    char bytes[64] = "datagrams";

    EXPECT_ERRNO(
        moat_recvfrom(fds[0], bytes, 64, MSG_DONTWAIT, NULL, NULL, NEVER),
        ETIMEDOUT);
    EXPECT_EQ(moat_connect(fds[0], (struct sockaddr *)&addresses[1],
                           sizeof addresses[1], NEVER),
              0);
    for (size_t i = 0; i < 10; i++) {
        EXPECT_EQ(moat_sendto(fds[0], bytes, i, 0, NULL, 0, NEVER), i);
        EXPECT_EQ(moat_recvfrom(fds[0], bytes, 64, 0, NULL, NULL, NEVER), i);
    }
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    close_both(fds);
    return arg;
}

static void *connects_itself(void *arg)
{
    char port[8];
    int listener = listener_of(port);
    moat_task *server = spawn(accepts, (void *)(intptr_t)listener);
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    EXPECT_EQ(
        moat_connect(fd, (struct sockaddr *)&address, sizeof address, NEVER),
        0);
    talk(fd);
    EXPECT_EQ(moat_close(fd), 0);
    EXPECT_EQ(moat_close(listener), 0);
    EXPECT_EQ(join(server).kind, MOAT_EVENT_RETURN);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_ERRNO(
        moat_connect(fd, (struct sockaddr *)&address, sizeof address, NEVER),
        ECONNREFUSED);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

/* A local socket whose queue is full returns EAGAIN, and no event shows when it
 * is not. */
static void *connects_locally(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8];
    moat_task *server;

    /* The kernel chooses an abstract name. */
    REQUIRE(bind(listener, (struct sockaddr *)&address,
                 sizeof address.sun_family) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    REQUIRE(listen(listener, 0) == 0);
    for (int i = 0; i < 8; i++)
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(moat_connect(fds[0], (struct sockaddr *)&address, length, NEVER),
              0);
    EXPECT_ERRNO(moat_connect(fds[1], (struct sockaddr *)&address, length,
                              moat_now() + MS),
                 ETIMEDOUT);
    server = spawn(accepts, (void *)(intptr_t)listener);
    for (int i = 1; i < 8; i++) {
        EXPECT_EQ(
            moat_connect(fds[i], (struct sockaddr *)&address, length, NEVER),
            0);
        talk(fds[i]);
    }
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(moat_close(fds[i]), 0);
    EXPECT_EQ(moat_close(listener), 0);
    EXPECT_EQ(join(server).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void sockets_of_all_kinds(const void *arg)
{
    (void)arg;
    run_real(sends_datagrams);
    run_real(connects_itself);
    run_real(connects_locally);
}

/* ---- Descriptors are used up
 * ------------------------------------------------- */

static void *accepts_when_there_is_room(void *arg)
{
    int *fds = arg;

    fds[2] = moat_accept(fds[0], NEVER);
    EXPECT(fds[2] >= 0);
    return arg;
}

static void *uses_all_up(void *arg)
{
    char port[8], byte;
    int fds[3] = {listener_of(port), -1, -1}, live[2], spare[64], count = 0;
    struct rlimit limit;
    moat_task *server;

    tcp_of(live);
    fds[1] = dial(port);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)fds[1] + 20;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (count < 64 && (spare[count] = dup(fds[1])) >= 0)
        count++;
    EXPECT_EQ(errno, EMFILE);
    EXPECT_ERRNO(moat_accept(fds[0], moat_now() + MS), ETIMEDOUT);
    EXPECT_ERRNO(moat_accept(fds[0], 0), ETIMEDOUT);
    EXPECT_ERRNO(moat_dial_tcp("127.0.0.1", port, NEVER), EMFILE);
    EXPECT_ERRNO(moat_listen_tcp("127.0.0.1", "0", 0), EMFILE);
    server = spawn(accepts_when_there_is_room, fds);
    (void)moat_sleep(MS);
    EXPECT_EQ(fds[2], -1);
    EXPECT_EQ(moat_write(live[0], "x", 1, NEVER), 1); /* others go on */
    EXPECT_EQ(moat_read(live[1], &byte, 1, NEVER), 1);
    EXPECT_EQ(moat_close(spare[--count]), 0);
    EXPECT_EQ(join(server).kind, MOAT_EVENT_RETURN);
    while (count-- > 0)
        EXPECT_EQ(moat_close(spare[count]), 0);
    close_both(live);
    close_both(&fds[1]);
    EXPECT_EQ(moat_close(fds[0]), 0);
    return arg;
}

/* Not even the poller can be made. */
static void *has_no_poller(void *arg)
{
    struct rlimit limit, low;
    char byte;
    int fds[2];

    pair_of(fds);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    low = limit;
    low.rlim_cur = (rlim_t)fds[1] + 1;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
    EXPECT_ERRNO(moat_read(fds[0], &byte, 1, NEVER), EMFILE);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT_ERRNO(moat_read(fds[0], &byte, 1, moat_now() + MS), ETIMEDOUT);
    close_both(fds);
    return arg;
}

/* The server's, which knows no client yet. */
struct refusing {
    int listener, accepted;
    uint64_t refused;
};

static void *refuses(void *arg)
{
    struct refusing *server = arg;

    server->accepted =
        moat_accept_refusing(server->listener, NEVER, &server->refused);
    EXPECT(server->accepted >= 0);
    return arg;
}

/* Leaves `room` descriptors below the limit. Returns how many it takes. */
static int take_all(int spare[64], int room)
{
    struct rlimit limit;
    int count = 0;

    spare[count++] = dup(0);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)spare[0] + 20;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (count < 64 && (spare[count] = dup(0)) >= 0)
        count++;
    EXPECT_EQ(errno, EMFILE);
    for (; room > 0; room--)
        EXPECT_EQ(close(spare[--count]), 0);
    return count;
}

/* Clients come while none can be accepted, and then one can. */
static void *refuses_clients(void *arg)
{
    struct refusing server = {-1, -1, 0};
    int live[2], spare[64], clients[4], count;
    char port[8], byte;
    moat_task *task;

    server.listener = listener_of(port);
    tcp_of(live);
    for (int i = 0; i < 3; i++)
        clients[i] = dial(port);
    count = take_all(spare, 1); /* the run takes it, to refuse by */
    task = spawn(refuses, &server);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(moat_read(clients[i], &byte, 1, NEVER), 0);
    EXPECT_EQ(server.refused, 3);
    EXPECT_EQ(server.accepted, -1);
    EXPECT_EQ(moat_write(live[0], "x", 1, NEVER), 1); /* others go on */
    EXPECT_EQ(moat_read(live[1], &byte, 1, NEVER), 1);
    EXPECT_EQ(moat_close(clients[0]), 0);
    EXPECT_EQ(moat_close(spare[--count]), 0);
    clients[3] = dial(port);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(server.refused, 3);
    EXPECT_EQ(moat_write(clients[3], "y", 1, NEVER), 1);
    EXPECT_EQ(moat_read(server.accepted, &byte, 1, NEVER), 1);
    while (count-- > 0)
        EXPECT_EQ(moat_close(spare[count]), 0);
    for (int i = 1; i < 4; i++)
        EXPECT_EQ(moat_close(clients[i]), 0);
    EXPECT_EQ(moat_close(server.accepted), 0);
    close_both(live);
    EXPECT_EQ(moat_close(server.listener), 0);
    return arg;
}

/* There is no descriptor to refuse by: clients wait. */
static void *cannot_refuse(void *arg)
{
    struct refusing server = {-1, -1, 0};
    int spare[64], client, count;
    moat_task *task;
    char port[8];

    server.listener = listener_of(port);
    client = dial(port);
    EXPECT_ERRNO(moat_read(client, port, 1, moat_now() + MS), ETIMEDOUT);
    count = take_all(spare, 0);
    EXPECT_ERRNO(
        moat_accept_refusing(server.listener, moat_now() + MS, &server.refused),
        ETIMEDOUT);
    EXPECT_ERRNO(moat_accept_refusing(server.listener, 0, NULL), ETIMEDOUT);
    EXPECT_EQ(server.refused, 0);
    task = spawn(refuses, &server);
    moat_task_yield();
    while (count-- > 0)
        EXPECT_EQ(moat_close(spare[count]), 0);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(server.refused, 0);
    EXPECT_EQ(moat_close(client), 0);
    EXPECT_EQ(moat_close(server.accepted), 0);
    EXPECT_EQ(moat_close(server.listener), 0);
    return arg;
}

static void clients_may_be_refused(const void *arg)
{
    (void)arg;
    run_real(refuses_clients);
    run_real(cannot_refuse);
}

static void descriptors_may_be_used_up(const void *arg)
{
    (void)arg;
    run_real(has_no_poller);
    run_real(uses_all_up);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(connections_are_made),
        CHILD_CASE(ends_are_seen),
        CHILD_CASE(writers_may_fail),
        CHILD_CASE(a_dial_that_ends_leaves_nothing),
        CHILD_CASE(sockets_of_all_kinds),
        CHILD_CASE(descriptors_may_be_used_up),
        CHILD_CASE(clients_may_be_refused),
    };

    return child_cases_run("sched.socket", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
