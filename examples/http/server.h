/*
 * server.h: the listening socket and the connections.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_SERVER_H
#define EXAMPLES_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/sched.h>

#include "connection.h"
#include "settings.h"

struct server {
    const struct settings *settings;
    int listener;
    bool ends;    /* answers are the last ones of their connections */
    uint64_t now; /* the reaper's clock */
    moat_group *group;
    moat_semaphore room; /* connections that may still be accepted */
    struct connection *connections;
};

/* A task's function: serves until SIGTERM or SIGINT. */
void *serve(void *settings);

/* A client that was accepted is gone. */
void server_make_room(struct server *server);
void server_enter(struct server *server, struct connection *connection);
void server_leave(struct server *server, struct connection *connection);

#endif
