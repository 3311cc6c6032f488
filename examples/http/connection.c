/*
 * connection.c: the task of a client: it waits, and closes the connection
 * however that ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <moat/sched.h>

#include "connection.h"
#include "progress.h"
#include "server.h"

/* Of a client that was refused, before it is hung up on. */
#define LINGER_TIME  UINT64_C(1000000000)
#define LINGER_BYTES ((size_t)1 << 20)

/* The bytes read last, by the task that has its turn. */
static char received[16384];

void connection_enter(struct connection *connection, enum phase phase)
{
    if (connection->phase != phase) {
        connection->phase = phase;
        connection->since = connection->server->now;
    }
}

/* ---- Waits --------------------------------------------------------------- */

static void refuse(struct exchange *exchange, int status)
{
    exchange->request.refusal = status;
    reply_status(&exchange->reply, status);
    exchange_answer(exchange);
}

/* False: there is no more. */
static bool read_input(struct connection *connection, size_t *length)
{
    ssize_t got =
        moat_read(connection->fd, received, sizeof received, MOAT_NO_DEADLINE);

    if (got > 0) {
        *length = (size_t)got;
        return true;
    }
    if (!connection->is_over || connection->phase == PHASE_IDLE)
        return false;
    refuse(connection->exchange, 408);
    return true;
}

/* False: the client does not take it in time. */
static bool write_rest(struct connection *connection)
{
    enum phase phase = connection->phase;
    uint64_t time = connection->server->settings->write_time;
    bool is_written;

    connection_enter(connection, PHASE_BUSY);
    is_written = output_write(&connection->exchange->output, connection->fd,
                              moat_now() + time);
    connection_enter(connection, phase);
    return is_written;
}

/* Reads what the client still sends: with unread input a close would be a
 * reset, which may overtake the answer. */
static void linger(const struct connection *connection)
{
    uint64_t deadline = moat_now() + LINGER_TIME;
    size_t left = LINGER_BYTES;
    ssize_t got = 1;

    (void)shutdown(connection->fd, SHUT_WR);
    while (got > 0 && left > 0) {
        got = moat_read(connection->fd, received, sizeof received, deadline);
        left -= got > 0 && (size_t)got < left ? (size_t)got : left;
    }
}

static void run_errand(const struct exchange *exchange)
{
    exchange->errand->run(exchange->errand->arg, exchange->deadline);
}

/* Between two requests a connection has no exchange. */
static void rest(struct connection *connection)
{
    if (connection->phase != PHASE_IDLE)
        return;
    exchange_give(connection->exchange);
    connection->exchange = NULL;
}

static bool wait_for_input(struct connection *connection, size_t *length)
{
    rest(connection);
    return read_input(connection, length);
}

/* False: the connection is over. */
static bool fulfil(struct connection *connection, enum need need,
                   size_t *length)
{
    struct exchange *exchange = connection->exchange;

    *length = 0;
    if (exchange != NULL && !output_is_empty(&exchange->output) &&
        !write_rest(connection))
        return false;
    switch (need) {
    case NEED_INPUT:
        return wait_for_input(connection, length);
    case NEED_TURN:
    case NEED_OUTPUT: /* has many requests: others first */
        moat_task_yield();
        return true;
    case NEED_ERRAND:
        run_errand(exchange);
        return true;
    case NEED_LINGER:
        linger(connection);
        return false;
    default:
        return need != NEED_END;
    }
}

/* ---- The task ------------------------------------------------------------ */

/* However the task ends. */
static void hang_up(void *arg)
{
    struct connection *connection = arg;

    exchange_give(connection->exchange);
    server_leave(connection->server, connection);
    (void)moat_close(connection->fd);
    free(connection);
}

static void *run(void *arg)
{
    struct connection *connection = arg;
    enum need need = NEED_INPUT;
    size_t length;

    if (moat_co_defer(moat_co_current(), hang_up, arg) != MOAT_OK) {
        hang_up(arg);
        return NULL;
    }
    while (fulfil(connection, need, &length))
        need = progress(connection, received, length);
    return NULL;
}

/* Answers are sent in one piece if they can be. What is left of a large one
 * must not wait for the client's acknowledgement of the rest. */
static void send_at_once(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void connection_begin(struct server *server, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        (void)moat_close(fd);
        server_make_room(server);
        return;
    }
    send_at_once(fd);
    connection->fd = fd;
    connection->server = server;
    connection->since = server->now;
    server_enter(server, connection);
    if (moat_task_spawn(server->group, run, connection, NULL, NULL) != MOAT_OK)
        hang_up(connection);
}
