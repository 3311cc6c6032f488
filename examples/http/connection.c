/*
 * connection.c: the task of a client: reads requests, has them answered, and
 * closes the connection however that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "connection.h"
#include "guest.h"
#include "output.h"
#include "routes.h"
#include "server.h"

/* Of a client that was refused, before it is hung up on. */
#define LINGER_TIME  UINT64_C(1000000000)
#define LINGER_BYTES ((size_t)1 << 20)

/* Room for reading beyond the longest head. */
#define READ_BYTES 4096

static uint64_t write_time(const struct connection *connection)
{
    return connection->server->settings->write_time;
}

static void enter_phase(struct connection *connection, enum phase phase)
{
    if (connection->phase != phase) {
        connection->phase = phase;
        connection->since = connection->server->now;
    }
}

bool connection_flush(struct connection *connection)
{
    return output_flush(connection->fd, write_time(connection));
}

/* ---- Input
 * -------------------------------------------------------------------- */

static void forget_input(struct connection *connection)
{
    if (connection->input != connection->small_input)
        free(connection->input);
    connection->input = connection->small_input;
    connection->room = SMALL_INPUT;
    connection->begin = connection->parsed = connection->end = 0;
}

/* The begun request moves to the front. */
static void move_input(struct connection *connection)
{
    size_t length = connection->end - connection->begin;

    memmove(connection->input, connection->input + connection->begin, length);
    connection->parsed -= connection->begin;
    connection->begin = 0;
    connection->end = length;
}

static bool grow_input(struct connection *connection)
{
    size_t most = (size_t)connection->server->settings->max_header + READ_BYTES;
    bool is_small = connection->input == connection->small_input;
    size_t room = 4 * connection->room < most ? 4 * connection->room : most;
    char *input;

    if (connection->room >= most)
        return false;
    input = realloc(is_small ? NULL : connection->input, room);
    if (input == NULL)
        return false;
    if (is_small)
        memcpy(input, connection->small_input, connection->end);
    connection->input = input;
    connection->room = room;
    return true;
}

/* What has come of a body was copied; only the head must stay. */
static void drop_body(struct connection *connection)
{
    const struct request *request = &connection->exchange.request;

    if (request->stage == REQUEST_BODY && connection->parsed == connection->end)
        connection->parsed = connection->end =
            connection->begin + request_head_length(request);
}

static bool make_room(struct connection *connection)
{
    if (connection->end < connection->room)
        return true;
    if (connection->begin > 0) {
        move_input(connection);
        return true;
    }
    return grow_input(connection);
}

/* Waits for more input. False: there is none. */
static bool fill(struct connection *connection)
{
    ssize_t got;

    if (!make_room(connection))
        return false;
    got = moat_read(connection->fd, connection->input + connection->end,
                    connection->room - connection->end, MOAT_NO_DEADLINE);
    if (got <= 0)
        return false;
    connection->end += (size_t)got;
    return true;
}

/* ---- Answers
 * ------------------------------------------------------------------ */

static enum output_end end_for(const struct connection *connection)
{
    const struct request *request = &connection->exchange.request;

    if (!request->keep || connection->server->ends)
        return OUTPUT_CLOSE;
    return request->parser.http_minor == 0 ? OUTPUT_KEEP_OLD : OUTPUT_KEEP;
}

/* False: the connection is over. */
static bool answer(struct connection *connection)
{
    struct exchange *exchange = &connection->exchange;
    const struct route *route = route_of(exchange);
    enum output_end end;

    if (route != NULL && !guest_answer(connection, route))
        return false;
    end = end_for(connection);
    return output_reply(connection->fd, &exchange->reply, end,
                        !request_is(&exchange->request, HTTP_HEAD),
                        write_time(connection)) &&
           end != OUTPUT_CLOSE;
}

/* Reads what the client still sends: with unread input a close would be a
 * reset, which may overtake the answer. */
static void linger(struct connection *connection)
{
    uint64_t deadline = moat_now() + LINGER_TIME;
    size_t left = LINGER_BYTES;
    ssize_t got = 1;

    (void)shutdown(connection->fd, SHUT_WR);
    while (got > 0 && left > 0) {
        got = moat_read(connection->fd, connection->small_input, SMALL_INPUT,
                        deadline);
        left -= got > 0 && (size_t)got < left ? (size_t)got : left;
    }
}

static void refuse(struct connection *connection, int status)
{
    struct reply *reply = &connection->exchange.reply;

    enter_phase(connection, PHASE_BUSY);
    reply_status(reply, status);
    if (output_reply(connection->fd, reply, OUTPUT_CLOSE, true,
                     write_time(connection)) &&
        connection_flush(connection))
        linger(connection);
}

/* ---- Requests
 * ------------------------------------------------------------------ */

static void begin_next(struct connection *connection)
{
    request_next(&connection->exchange.request);
    reply_free(&connection->exchange.reply);
    connection->begin = connection->parsed;
    if (connection->begin == connection->end)
        forget_input(connection);
}

/* Parses to the end of a request, or of the input. */
static void parse(struct connection *connection)
{
    struct request *request = &connection->exchange.request;
    size_t begin = connection->parsed;

    connection->parsed +=
        request_parse(request, connection->input + connection->begin,
                      connection->input + begin, connection->end - begin);
}

/* False: the connection is over. */
static bool answer_all(struct connection *connection)
{
    struct request *request = &connection->exchange.request;

    while (connection->parsed < connection->end) {
        if (request->stage == REQUEST_NONE)
            enter_phase(connection, PHASE_HEAD);
        parse(connection);
        if (request->refusal != 0) {
            refuse(connection, request->refusal);
            return false;
        }
        if (request->stage != REQUEST_WHOLE)
            break;
        enter_phase(connection, PHASE_BUSY);
        if (!answer(connection))
            return false;
        begin_next(connection);
    }
    return true;
}

/* The answers so far are sent before the client is waited for. */
static bool prepare_wait(struct connection *connection)
{
    struct request *request = &connection->exchange.request;

    if (request->stage == REQUEST_NONE)
        enter_phase(connection, PHASE_IDLE);
    else if (request->stage == REQUEST_BODY)
        enter_phase(connection, PHASE_BODY);
    drop_body(connection);
    if (request->wants_continue) {
        request->wants_continue = false;
        return output_continue(connection->fd, write_time(connection));
    }
    return connection_flush(connection);
}

static void converse(struct connection *connection)
{
    while (fill(connection)) {
        if (!answer_all(connection)) {
            (void)connection_flush(connection);
            return;
        }
        if (!prepare_wait(connection))
            return;
    }
    if (connection->is_over && connection->phase != PHASE_IDLE)
        refuse(connection, 408);
}

/* ---- The task
 * ------------------------------------------------------------------- */

/* However the task ends. */
static void hang_up(void *arg)
{
    struct connection *connection = arg;

    output_drop();
    guest_drop(connection);
    server_leave(connection->server, connection);
    (void)moat_close(connection->fd);
    request_free(&connection->exchange.request);
    reply_free(&connection->exchange.reply);
    forget_input(connection);
    free(connection);
}

static void *run(void *arg)
{
    struct connection *connection = arg;

    if (moat_co_defer(moat_co_current(), hang_up, connection) != MOAT_OK)
        hang_up(connection);
    else
        converse(connection);
    return NULL;
}

static struct connection *make(struct server *server, int fd)
{
    struct connection *connection = malloc(sizeof *connection);

    if (connection == NULL)
        return NULL;
    memset(connection, 0, offsetof(struct connection, exchange));
    connection->fd = fd;
    connection->server = server;
    connection->since = server->now;
    connection->input = connection->small_input;
    connection->room = SMALL_INPUT;
    connection->exchange.heap = NULL;
    connection->exchange.lua = NULL;
    request_begin(&connection->exchange.request, server->settings);
    reply_begin(&connection->exchange.reply);
    return connection;
}

/* Answers are sent in one piece if they can be. What is left of a large one
 * must not wait for the client's acknowledgement of the rest. */
static void send_at_once(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

bool connection_begin(struct server *server, int fd)
{
    struct connection *connection = make(server, fd);

    if (connection == NULL)
        return false;
    send_at_once(fd);
    server_enter(server, connection);
    if (moat_task_spawn(server->group, run, connection, NULL, NULL) == MOAT_OK)
        return true;
    hang_up(connection);
    return false;
}
