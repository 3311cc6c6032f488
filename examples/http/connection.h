/*
 * connection.h: a client, and the task that waits for it.
 *
 * The struct is small, since thousands of them are used in turn: what a request
 * needs is in its exchange.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_CONNECTION_H
#define EXAMPLES_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

struct server;

/* The reason why the client is waited for. */
enum phase {
    PHASE_IDLE, /* for a request                      */
    PHASE_HEAD, /* for the rest of a request's head   */
    PHASE_BODY, /* for the rest of its body           */
    PHASE_BUSY  /* it is not: the server has its turn */
};

struct connection {
    int fd;
    enum phase phase;
    bool is_over;   /* its time is up, or the server ends: see reaper.h */
    uint64_t since; /* the phase's begin, on the reaper's clock         */
    struct server *server;
    struct exchange *exchange;          /* NULL: no request has begun */
    struct connection *next, *previous; /* of the server     */
};

void connection_enter(struct connection *connection, enum phase phase);

/* Serves a client in a task of its own. It is hung up on if there is no memory.
 */
void connection_begin(struct server *server, int fd);

#endif
