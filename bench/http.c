/*
 * http.c: HTTP servers on one thread, under wrk: moat's example, in which each
 * request is a guest, without and with crashes; one by callbacks of libuv with
 * the same parser; and Go's net/http. The server has a CPU, and wrk has
 * another, if there are two. Times are CPU time of the server per request.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

#define CONNECTIONS 1000
#define SECONDS     5 /* of a sample */

/* A handler of the route fails at every hundredth request. */
#define CRASH_PART 100

struct server {
    const char *name, *path, *url;
    bool is_moat, crashes;
    pid_t pid;
    int port;
    struct bench_series cpu, wall; /* of a request */
};

static struct server servers[] = {
    {.name = "moat", .path = BENCH_HTTP_MOAT, .url = "/hello", .is_moat = true},
    {.name = "moat, 1 % crash",
     .path = BENCH_HTTP_MOAT,
     .url = "/sometimes",
     .is_moat = true,
     .crashes = true},
    {.name = "moat, Lua",
     .path = BENCH_HTTP_MOAT,
     .url = "/lua/hello",
     .is_moat = true},
#ifdef BENCH_HTTP_UV
    {.name = "libuv", .path = BENCH_HTTP_UV, .url = "/hello"},
#endif
#ifdef BENCH_HTTP_GO
    {.name = "Go", .path = BENCH_HTTP_GO, .url = "/hello"},
#endif
};

#define SERVERS (sizeof servers / sizeof servers[0])

/* The CPU of wrk. */
static int client_cpu;

static void check(long result, const char *what)
{
    if (result < 0)
        bench_stop(what);
}

/* ---- A server ------------------------------------------------------------ */

static int listen_for(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(fd, (struct sockaddr *)&address, length), "bind");
    check(listen(fd, 4096), "listen");
    check(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
    server->port = ntohs(address.sin_port);
    return fd;
}

/* The listening socket is descriptor 3. Reports are made and dropped. */
static void become(const struct server *server, int listener)
{
    int null = open("/dev/null", O_WRONLY);

    if (listener == 3)
        (void)fcntl(3, F_SETFD, 0);
    else
        (void)dup2(listener, 3);
    (void)dup2(null, STDOUT_FILENO);
    (void)dup2(null, STDERR_FILENO);
    if (server->is_moat)
        (void)execl(server->path, server->path, "--descriptor", "3",
                    "--scripts", BENCH_HTTP_SCRIPTS, (char *)NULL);
    else
        (void)execl(server->path, server->path, (char *)NULL);
    _exit(127);
}

static void start(struct server *server)
{
    int listener = listen_for(server);

    server->pid = fork();
    check(server->pid, "fork");
    if (server->pid == 0)
        become(server, listener);
    check(close(listener), "close");
}

static void stop(const struct server *server)
{
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

/* ---- wrk ----------------------------------------------------------------- */

struct outcome {
    double requests, per_second;
    double failed; /* answers other than 200 */
};

/* The line of a number that wrk prints, NUMBER LABEL or LABEL NUMBER. */
static void read_line(struct outcome *outcome, const char *line)
{
    double number;

    if (sscanf(line,
               " Socket errors: connect %*d, read %*d, write %*d, "
               "timeout %lf",
               &number) == 1)
        bench_stop("a connection, under wrk");
    if (sscanf(line, " Non-2xx or 3xx responses: %lf", &number) == 1)
        outcome->failed = number;
    else if (sscanf(line, "Requests/sec: %lf", &number) == 1)
        outcome->per_second = number;
    else if (strstr(line, " requests in ") != NULL &&
             sscanf(line, " %lf", &number) == 1)
        outcome->requests = number;
}

static struct outcome run_wrk(const struct server *server, unsigned connections,
                              unsigned seconds)
{
    struct outcome outcome = {0};
    char line[512];
    FILE *output;

    snprintf(line, sizeof line,
             "taskset -c %d " BENCH_WRK " -t 1 -c %u -d %u --timeout 10s "
             "http://127.0.0.1:%d%s",
             client_cpu, connections, seconds, server->port, server->url);
    output = popen(line, "r");
    if (output == NULL)
        bench_stop("wrk");
    while (fgets(line, sizeof line, output) != NULL)
        read_line(&outcome, line);
    if (pclose(output) != 0 || outcome.requests == 0)
        bench_stop("wrk");
    return outcome;
}

/* Only the handlers that crash may fail. At both ends of a sample there are
 * answers that wrk did not wait for, which may be among them or not. */
static void check_failures(const struct server *server,
                           const struct outcome *outcome, unsigned connections)
{
    double crashes = server->crashes ? outcome->requests / CRASH_PART : 0;
    double unsure = server->crashes ? 2.0 * connections / CRASH_PART + 2 : 0;
    char text[120];

    snprintf(text, sizeof text, "%s: %.0f of %.0f answers were not 200; this",
             server->name, outcome->failed, outcome->requests);
    if (outcome->failed < crashes - unsure ||
        outcome->failed > crashes + unsure)
        bench_stop(text);
}

static void sample(struct server *server, unsigned connections,
                   unsigned seconds)
{
    double begun = cpu_of(server);
    struct outcome outcome = run_wrk(server, connections, seconds);

    check_failures(server, &outcome, connections);
    bench_add(&server->cpu, (cpu_of(server) - begun) / outcome.requests);
    bench_add(&server->wall, 1e9 / outcome.per_second);
}

/* ---- The case ------------------------------------------------------------ */

/* The first CPU that is not the servers'; the same if there is no other. */
static void choose_client_cpu(const cpu_set_t *allowed, int server_cpu)
{
    client_cpu = server_cpu;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (client_cpu == server_cpu && CPU_ISSET(cpu, allowed))
            client_cpu = (int)cpu;
}

static void report(const char *what, const char *note, bool wall)
{
    struct bench_series series[SERVERS];

    for (size_t i = 0; i < SERVERS; i++) {
        series[i] = wall ? servers[i].wall : servers[i].cpu;
        series[i].name = servers[i].name;
    }
    bench_report(what, series, SERVERS, 0);
    for (size_t i = 0; i < SERVERS && wall; i++) {
        double per_second = 1e9 / bench_median(&series[i]);
        char title[80];

        printf("  %-16s %.0f %s\n", servers[i].name, per_second, note);
        snprintf(title, sizeof title, "%s of %s", note, servers[i].name);
        bench_note("http", title, per_second);
    }
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 7);
    unsigned seconds = options.scale < 0.1 ? 1 : SECONDS;
    unsigned connections = options.scale < 0.1 ? 20 : CONNECTIONS;
    cpu_set_t allowed;

    check(sched_getaffinity(0, sizeof allowed, &allowed), "sched_getaffinity");
    bench_open("HTTP servers", &options);
    choose_client_cpu(&allowed, options.cpu);
    for (size_t i = 0; i < SERVERS; i++)
        start(&servers[i]);
    for (size_t i = 0; i < SERVERS; i++)
        (void)run_wrk(&servers[i], connections, seconds);
    for (size_t round = 0; round < options.rounds; round++)
        for (size_t i = 0; i < SERVERS; i++)
            sample(&servers[i], connections, seconds);
    for (size_t i = 0; i < SERVERS; i++)
        stop(&servers[i]);
    report("CPU time of the server per request", "", false);
    report("time per request", "requests per second", true);
    return bench_close(&options);
}
