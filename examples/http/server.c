/*
 * server.c: an HTTP server in which each request is a guest: its handler has a
 * stack, a heap and a time limit of its own. One that overflows, loops or takes
 * too much memory costs its client a 500 with the number of a report.
 *
 * The parser is Debian's libhttp-parser.
 *
 *     http_server         serves clients of its own, and ends
 *     http_server PORT    serves until SIGINT or SIGTERM, then ends gracefully
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "handlers.h"

#define NEVER  MOAT_NO_DEADLINE
#define SECOND UINT64_C(1000000000)

/* Limits of a client. */
#define HEADER_BYTES 8192
#define BODY_BYTES   65536
#define PATIENCE     (60 * SECOND)

/* ---- A request ---- */

struct connection {
    int fd;
    http_parser parser;
    struct exchange exchange;
    bool too_large; /* its URL or its body */
};

static int on_begin(http_parser *parser)
{
    struct connection *connection = parser->data;

    memset(&connection->exchange, 0, sizeof connection->exchange);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct connection *connection = parser->data;
    char *url = connection->exchange.url;
    size_t had = strlen(url);

    connection->too_large = had + length >= URL_BYTES;
    if (!connection->too_large)
        memcpy(url + had, at, length);
    return connection->too_large;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct connection *connection = parser->data;

    (void)at;
    connection->exchange.body_bytes += length;
    connection->too_large = connection->exchange.body_bytes > BODY_BYTES;
    return connection->too_large;
}

/* The next request of the same client is parsed after this one's answer. */
static int on_complete(http_parser *parser)
{
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
                                              .on_url = on_url,
                                              .on_body = on_body,
                                              .on_message_complete =
                                                  on_complete};

/* ---- Its answer ---- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    default:
        return "Internal Server Error";
    }
}

static bool send_answer(const struct connection *connection, bool keep)
{
    const struct exchange *exchange = &connection->exchange;
    char text[ANSWER_BYTES + 200];
    int length = snprintf(
        text, sizeof text,
        "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
        exchange->status, reason_of(exchange->status), strlen(exchange->answer),
        keep ? "keep-alive" : "close", exchange->answer);

    return moat_write(connection->fd, text, (size_t)length,
                      moat_now() + PATIENCE) == length;
}

static bool refuse(struct connection *connection, int status)
{
    connection->exchange.status = status;
    snprintf(connection->exchange.answer, ANSWER_BYTES, "%s\n",
             reason_of(status));
    (void)send_answer(connection, false);
    return false;
}

static void report(struct exchange *exchange, const moat_result *result)
{
    static unsigned reports;

    reports++;
    fprintf(stderr, "report %u: %s: %s\n", reports, exchange->url,
            result->kind == MOAT_EVENT_TRAP
                ? moat_trap_kind_str(result->trap.kind)
                : moat_status_str(result->status));
    exchange->status = 500;
    snprintf(exchange->answer, ANSWER_BYTES, "report %u\n", reports);
}

/* The handler is a task of its own: it runs and ends apart from this one. */
static bool answer(struct connection *connection)
{
    bool keep = http_should_keep_alive(&connection->parser) != 0;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_task_options options = MOAT_TASK_OPTIONS_INIT;
    moat_result result = {.kind = MOAT_EVENT_CANCELLED};
    moat_task *task;

    limits.resume_cpu_ns = SECOND / 20;
    limits.memory_bytes = 1 << 20;
    options.limits = &limits;
    options.name = "handler";
    result.status =
        moat_task_spawn(NULL, handle, &connection->exchange, &options, &task);
    if (result.status == MOAT_OK)
        result.status = moat_task_join(task, NEVER, &result);
    if (result.kind != MOAT_EVENT_RETURN)
        report(&connection->exchange, &result);
    return send_answer(connection, keep) && keep;
}

/* ---- A connection ---- */

/* False: the connection is over. */
static bool parse(struct connection *connection, const char *bytes,
                  size_t length)
{
    http_parser *parser = &connection->parser;
    size_t at = 0;

    while (at < length) {
        at += http_parser_execute(parser, &settings, bytes + at, length - at);
        if (HTTP_PARSER_ERRNO(parser) == HPE_PAUSED) {
            http_parser_pause(parser, 0);
            if (!answer(connection))
                return false;
        } else if (HTTP_PARSER_ERRNO(parser) != HPE_OK || parser->upgrade) {
            return refuse(connection, connection->too_large ? 413 : 400);
        }
    }
    return true;
}

static void hang_up(void *arg)
{
    struct connection *connection = arg;

    (void)moat_close(connection->fd);
    free(connection);
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    char bytes[2048];
    ssize_t got;

    check(moat_co_defer(moat_co_current(), hang_up, arg) == MOAT_OK, "defer");
    http_parser_init(&connection->parser, HTTP_REQUEST);
    connection->parser.data = connection;
    do
        got = moat_read(connection->fd, bytes, sizeof bytes,
                        moat_now() + PATIENCE);
    while (got > 0 && parse(connection, bytes, (size_t)got));
    if (got < 0)
        (void)refuse(connection, 408);
    return NULL;
}

/* ---- The server ---- */

struct server {
    int listener;
    moat_group *connections;
};

static void *accept_all(void *arg)
{
    const struct server *server = arg;
    int fd;

    while ((fd = moat_accept(server->listener, NEVER)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);

        check(connection != NULL, "calloc");
        connection->fd = fd;
        if (moat_task_spawn(server->connections, serve, connection, NULL,
                            NULL) != MOAT_OK)
            hang_up(connection);
    }
    return NULL;
}

/* No new ones; those that are served have their time. */
static void end_gracefully(const struct server *server)
{
    (void)moat_close(server->listener);
    (void)!moat_group_wait(server->connections, moat_now() + PATIENCE, NULL);
    moat_group_close(server->connections);
}

static void *run(void *arg)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct server server;

    http_parser_set_max_header_size(HEADER_BYTES);
    server.listener = moat_listen_tcp(arg != NULL ? NULL : "127.0.0.1",
                                      arg != NULL ? arg : "0", 0);
    check(server.listener >= 0, "moat_listen_tcp");
    check(moat_group_open(&server.connections, 0) == MOAT_OK, "group");
    check(moat_task_spawn(NULL, accept_all, &server, NULL, NULL) == MOAT_OK,
          "spawn");
    if (arg == NULL) {
        be_clients(server.listener);
    } else {
        (void)!moat_signal_wait(signals, 2, NEVER, NULL);
    }
    end_gracefully(&server);
    return NULL;
}

int main(int argc, char **argv)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    if (argc > 1) /* moat_signal_wait takes them */
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    return moat_sched_run(NULL, run, argc > 1 ? argv[1] : NULL, NULL) == MOAT_OK
               ? 0
               : 1;
}
