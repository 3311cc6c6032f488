/*
 * exchange.h: a request and its reply, as handlers see them.
 *
 * A handler runs as a guest: in a coroutine of its own, with limits. It may be
 * stopped at any instruction, and suspended at most. So it should take memory
 * only from its heap, and call nothing that takes a lock, stdio for example.
 * What has to wait, or has to lock, is an errand for the connection's task.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_EXCHANGE_H
#define EXAMPLES_HTTP_EXCHANGE_H

#include <moat/moat.h>

#include "reply.h"
#include "request.h"

struct lua_State;
struct script;

struct exchange {
    struct request request;
    struct reply reply;
    moat_heap *heap; /* NULL: the route has none */
    /* Of Lua handlers. */
    const struct script *script;
    struct lua_State *lua; /* for reports; NULL: not made yet */
    char error[200];       /* of the script; "": none         */
};

/* Something that the connection's task does for a handler. */
struct errand {
    void (*run)(void *arg, uint64_t deadline); /* may wait until then */
    void *arg;
};

/* Yields to the connection's task, which runs the errand. */
void exchange_send(struct errand *errand);

#endif
