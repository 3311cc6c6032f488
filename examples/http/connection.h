/*
 * connection.h: a client.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_CONNECTION_H
#define EXAMPLES_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/sched.h>

#include "exchange.h"
#include "settings.h"

/* Input that needs no memory of its own. */
#define SMALL_INPUT 1024

struct server;

/* What the client is waited for. */
enum phase {
    PHASE_IDLE, /* for a request                     */
    PHASE_HEAD, /* for the rest of a request's head  */
    PHASE_BODY, /* for the rest of its body          */
    PHASE_BUSY  /* it is not: the server has its turn */
};

struct connection {
    int fd;
    enum phase phase;
    bool is_over;   /* its time is up, or the server ends: see reaper.h */
    uint64_t since; /* the phase's begin, on the reaper's clock         */
    struct server *server;
    moat_co *guest;                     /* its handler; NULL: none runs */
    struct connection *next, *previous; /* of the server */
    char *input;
    size_t begin, parsed, end, room; /* of the input  */
    struct exchange exchange;
    char small_input[SMALL_INPUT];
};

/* Serves a client in a task of its own. False: there is no memory, and the
 * client is not served. */
bool connection_begin(struct server *server, int fd);

/* Sends what was answered. False: the client is gone. */
bool connection_flush(struct connection *connection);

#endif
