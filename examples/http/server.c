/*
 * server.c: accepts clients, and ends gracefully.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "guest.h"
#include "output.h"
#include "reaper.h"
#include "server.h"

#define NEVER MOAT_NO_DEADLINE

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- Connections --------------------------------------------------------- */

void server_make_room(struct server *server)
{
    (void)moat_semaphore_release(&server->room);
}

void server_enter(struct server *server, struct connection *connection)
{
    connection->previous = NULL;
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
}

void server_leave(struct server *server, struct connection *connection)
{
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    server_make_room(server);
}

/* Until the listening socket is closed. Clients beyond the limit wait in the
 * kernel's queue. */
static void *accept_all(void *arg)
{
    struct server *server = arg;

    while (moat_semaphore_acquire(&server->room, NEVER) == MOAT_OK) {
        int fd = moat_accept(server->listener, NEVER);

        if (fd < 0)
            break;
        connection_begin(server, fd);
    }
    return NULL;
}

/* ---- The listening socket ------------------------------------------------ */

static int port_of(int listener)
{
    struct sockaddr_in6 address; /* the port is where sockaddr_in has it */
    socklen_t length = sizeof address;

    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "getsockname");
    return ntohs(address.sin6_port);
}

static int open_listener(const struct settings *settings)
{
    if (settings->descriptor >= 0)
        return (int)settings->descriptor;
    return moat_listen_tcp(settings->address, settings->port, 0);
}

/* ---- The server ---------------------------------------------------------- */

static void begin(struct server *server)
{
    const struct settings *settings = server->settings;

    server->listener = open_listener(settings);
    check(server->listener >= 0, "listen");
    http_parser_set_max_header_size((uint32_t)settings->max_header);
    check(guests_begin(), "guests");
    server->now = moat_now();
    output_set_date();
    check(moat_group_open(&server->group, 0) == MOAT_OK &&
              moat_semaphore_init(&server->room,
                                  (uint64_t)settings->max_connections) ==
                  MOAT_OK,
          "server");
    printf("port %d\n", port_of(server->listener));
    fflush(stdout);
}

/* No new clients; requests in progress have their time. */
static void end(struct server *server)
{
    server->ends = true;
    (void)moat_close(server->listener);
    reap_idle(server);
    (void)!moat_group_wait(server->group,
                           moat_now() + server->settings->grace_time, NULL);
    moat_group_close(server->group);
}

static moat_task *spawn(moat_task_fn fn, struct server *server)
{
    moat_task *task = NULL;

    check(moat_task_spawn(NULL, fn, server, NULL, &task) == MOAT_OK, "spawn");
    return task;
}

static void stop(moat_task *task)
{
    (void)moat_task_cancel(task);
    (void)!moat_task_join(task, NEVER, NULL);
}

void *serve(void *settings)
{
    static const int signals[] = {SIGINT, SIGTERM};
    struct server server = {.settings = settings};
    moat_task *acceptor, *reaper;

    begin(&server);
    acceptor = spawn(accept_all, &server);
    reaper = spawn(reap, &server);
    (void)!moat_signal_wait(signals, 2, NEVER, NULL);
    end(&server);
    stop(acceptor);
    stop(reaper);
    moat_semaphore_destroy(&server.room);
    guests_end();
    return NULL;
}
