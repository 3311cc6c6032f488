/*
 * echo.c: echo servers on one thread, under many connections that wait for each
 * answer: moat's, one by callbacks of libuv, and Go's; and moat's with a guest
 * for each request, without and with crashes. Times are CPU time of the server
 * per request; requests per second depend on the client as well, which shares
 * the CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define REQUEST     64
#define CONNECTIONS 1000
#define IDLE        10000
#define BURST       200000 /* requests of a sample */
#define MAX_EVENTS  256

struct server {
    const char *name, *path, *mode;
    pid_t pid;
    struct sockaddr_in address;
    int epoll;
    int *fds;
    size_t count;
    struct bench_series wall; /* of a request */
};

static struct server servers[] = {
    {.name = "moat", .path = BENCH_ECHO_MOAT},
    {.name = "guests", .path = BENCH_ECHO_MOAT, .mode = "guests"},
    {.name = "crashes", .path = BENCH_ECHO_MOAT, .mode = "crashes"},
#ifdef BENCH_ECHO_UV
    {.name = "libuv", .path = BENCH_ECHO_UV},
#endif
#ifdef BENCH_ECHO_GO
    {.name = "Go", .path = BENCH_ECHO_GO},
#endif
};

#define SERVERS (sizeof servers / sizeof servers[0])

static void check(long result, const char *what)
{
    if (result < 0)
        bench_stop(what);
}

/* ---- A server --------------------------------------------------------------
 */

static int listen_for(struct server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof server->address;

    server->address = (struct sockaddr_in){.sin_family = AF_INET};
    server->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(fd, (struct sockaddr *)&server->address, length), "bind");
    check(listen(fd, 4096), "listen");
    check(getsockname(fd, (struct sockaddr *)&server->address, &length),
          "getsockname");
    return fd;
}

static void start(struct server *server)
{
    int listener = listen_for(server);

    server->pid = fork();
    check(server->pid, "fork");
    if (server->pid == 0) {
        /* Where the two are the same number dup2 would leave the flag. */
        if (listener == 3)
            (void)fcntl(3, F_SETFD, 0);
        else
            (void)dup2(listener, 3);
        (void)execl(server->path, server->path, server->mode, (char *)NULL);
        _exit(127);
    }
    check(close(listener), "close");
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    check(server->epoll, "epoll_create1");
    server->count = 0;
}

static void stop(struct server *server)
{
    for (size_t i = 0; i < server->count; i++)
        check(close(server->fds[i]), "close");
    free(server->fds);
    server->fds = NULL;
    check(close(server->epoll), "close");
    check(kill(server->pid, SIGKILL), "kill");
    check(waitpid(server->pid, NULL, 0), "waitpid");
}

static double cpu_of(const struct server *server)
{
    struct timespec time;
    clockid_t clock;

    if (clock_getcpuclockid(server->pid, &clock) != 0 ||
        clock_gettime(clock, &time) != 0)
        bench_stop("the server's clock");
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double resident(const struct server *server)
{
    char name[64];
    double size, pages = 0;
    FILE *file;

    snprintf(name, sizeof name, "/proc/%d/statm", (int)server->pid);
    file = fopen(name, "r");
    if (file == NULL || fscanf(file, "%lf %lf", &size, &pages) != 2)
        bench_stop(name);
    fclose(file);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

/* ---- The client -------------------------------------------------------------
 */

static void send_one(int fd)
{
    static const char request[REQUEST] = "request";

    if (send(fd, request, REQUEST, MSG_NOSIGNAL) != REQUEST)
        bench_stop("send");
}

static void receive_one(int fd)
{
    char answer[REQUEST];

    if (recv(fd, answer, REQUEST, MSG_WAITALL) != REQUEST)
        bench_stop("an answer");
}

/* Each has had an answer: its task runs. */
static void connect_all(struct server *server, size_t count)
{
    server->fds = realloc(server->fds, count * sizeof *server->fds);
    if (server->fds == NULL)
        bench_stop("realloc");
    for (; server->count < count; server->count++) {
        struct epoll_event event = {.events = EPOLLIN};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        check(fd, "socket");
        check(connect(fd, (struct sockaddr *)&server->address,
                      sizeof server->address),
              "connect");
        event.data.fd = fd;
        check(epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
        send_one(fd);
        receive_one(fd);
        server->fds[server->count] = fd;
    }
}

/* Every connection has a request under way until all are sent. */
static void exchange(const struct server *server, size_t requests)
{
    struct epoll_event events[MAX_EVENTS];
    size_t sent = 0, received = 0;

    for (; sent < server->count && sent < requests; sent++)
        send_one(server->fds[sent]);
    while (received < requests) {
        int count = epoll_wait(server->epoll, events, MAX_EVENTS, -1);

        if (count < 0 && errno != EINTR)
            bench_stop("epoll_wait");
        for (int i = 0; i < count; i++) {
            receive_one(events[i].data.fd);
            received++;
            if (sent < requests) {
                send_one(events[i].data.fd);
                sent++;
            }
        }
    }
}

static double wall_ns(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double sample(struct server *server, size_t requests)
{
    double cpu = cpu_of(server), begun = wall_ns();

    exchange(server, requests);
    bench_add(&server->wall, (wall_ns() - begun) / (double)requests);
    return (cpu_of(server) - cpu) / (double)requests;
}

/* ---- The cases
 * ---------------------------------------------------------------- */

static void run_load(const struct bench_options *options)
{
    struct bench_series series[SERVERS] = {{0}};
    size_t requests = (size_t)(BURST * options->scale) + 10;
    size_t connections = options->scale < 0.1 ? 20 : CONNECTIONS;
    char title[80];

    for (size_t i = 0; i < SERVERS; i++) {
        series[i].name = servers[i].name;
        start(&servers[i]);
        connect_all(&servers[i], connections);
        exchange(&servers[i], requests);
    }
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t i = 0; i < SERVERS; i++)
            bench_add(&series[i], sample(&servers[i], requests));
    for (size_t i = 0; i < SERVERS; i++)
        stop(&servers[i]);
    snprintf(title, sizeof title, "a request, %zu connections", connections);
    bench_report(title, series, SERVERS, 0);
    printf("requests per second, median of the rounds\n");
    for (size_t i = 0; i < SERVERS; i++) {
        double per_second = 1e9 / bench_median(&servers[i].wall);

        snprintf(title, sizeof title, "requests per second of %s",
                 servers[i].name);
        printf("  %-8s %.0f\n", servers[i].name, per_second);
        bench_note("echo", title, per_second);
    }
}

static void run_idle(struct server *server, size_t connections)
{
    double before, bytes;
    char title[80];

    start(server);
    connect_all(server, 1); /* it runs */
    before = resident(server);
    connect_all(server, connections);
    bytes = (resident(server) - before) / (double)(connections - 1);
    printf("  %-8s %.0f\n", server->name, bytes);
    snprintf(title, sizeof title, "bytes per idle connection of %s",
             server->name);
    bench_note("echo", title, bytes);
    stop(server);
}

/* Both sides have a descriptor for each connection. */
static size_t allowed(size_t wanted)
{
    struct rlimit limit;

    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    return limit.rlim_cur < wanted + 100 ? (size_t)limit.rlim_cur - 100
                                         : wanted;
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 7);
    size_t idle = allowed(options.scale < 0.1 ? 100 : IDLE);

    bench_open("Echo servers", &options);
    run_load(&options);
    printf("memory of an idle connection, of %zu, bytes\n", idle);
    for (size_t i = 0; i < SERVERS; i++)
        run_idle(&servers[i], idle);
    return bench_close(&options);
}
