/*
 * exchange.h: a request and its reply, as handlers see them.
 *
 * A request is parsed and answered by a guest, in a coroutine with limits. It
 * may be stopped at any instruction, and suspended. So a handler takes memory
 * only from its heap, and calls nothing that has a lock, stdio for example.
 * Work that has to wait is an errand for the connection's task.
 *
 * A connection has an exchange only from the first byte of a request to the end
 * of its answer. The one that was used last is used first: its memory is in the
 * CPU's caches, which that of a thousand clients is not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_EXCHANGE_H
#define EXAMPLES_HTTP_EXCHANGE_H

#include <moat/moat.h>

#include "input.h"
#include "output.h"
#include "reply.h"
#include "request.h"

struct guest;
struct lua_State;
struct script;
struct server;

/* Something that the connection's task does for a handler. */
struct errand {
    void (*run)(void *arg, uint64_t deadline); /* may wait until then */
    void *arg;
};

struct exchange {
    struct exchange *next; /* that waits to be taken */
    const struct server *server;
    struct input input;
    struct request request;
    struct reply reply;
    struct output output;
    bool is_answered;      /* the reply is in the output         */
    bool closes;           /* ...and the connection's last one   */
    struct guest *guest;   /* NULL: none                         */
    struct errand *errand; /* what it waits for                  */
    unsigned slices;       /* of CPU time, used up               */
    uint64_t deadline;     /* for its answer                     */
    char error[200];       /* of a script; "": none              */
    moat_heap *heap;       /* NULL: none                         */
    /* Of Lua handlers. */
    const struct script *script;
    struct lua_State *lua; /* for reports; NULL: not made yet */
};

/* An exchange before the first byte. NULL: there is no memory. */
struct exchange *exchange_take(const struct server *server);
/* NULL: no effect. */
void exchange_give(struct exchange *exchange);
/* Frees those that wait. */
void exchanges_free(void);

/* Puts the reply into the output. */
void exchange_answer(struct exchange *exchange);
/* Forgets the request that was answered. */
void exchange_next(struct exchange *exchange);

/* For handlers: waits until the connection's task has run an errand. */
void exchange_send(struct errand *errand);
/* Borrows a heap, `exchange->heap`. False: there is no memory. */
bool exchange_borrow_heap(struct exchange *exchange);

#endif
