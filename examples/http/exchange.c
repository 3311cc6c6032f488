/*
 * exchange.c: requests and their replies.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "exchange.h"
#include "guest.h"
#include "heaps.h"
#include "host_call.h"
#include "server.h"

#define MAX_IDLE 64

static struct exchange *idle;
static unsigned idle_count;

static struct exchange *make(void)
{
    struct exchange *exchange = malloc(sizeof *exchange);

    if (exchange == NULL)
        return NULL;
    input_begin(&exchange->input);
    reply_begin(&exchange->reply);
    output_begin(&exchange->output);
    exchange->guest = NULL;
    exchange->heap = NULL;
    exchange->lua = NULL;
    return exchange;
}

struct exchange *exchange_take(const struct server *server)
{
    struct exchange *exchange = idle;

    if (exchange == NULL) {
        exchange = make();
    } else {
        idle = exchange->next;
        idle_count--;
    }
    if (exchange != NULL) {
        exchange->server = server;
        exchange->is_answered = exchange->closes = false;
        request_begin(&exchange->request, server->settings);
    }
    return exchange;
}

void exchange_give(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    guest_drop(exchange);
    input_free(&exchange->input);
    request_free(&exchange->request);
    reply_free(&exchange->reply);
    output_begin(&exchange->output);
    if (idle_count == MAX_IDLE) {
        free(exchange);
        return;
    }
    exchange->next = idle;
    idle = exchange;
    idle_count++;
}

void exchanges_free(void)
{
    while (idle != NULL) {
        struct exchange *exchange = idle;

        idle = exchange->next;
        free(exchange);
    }
    idle_count = 0;
}

static enum output_end end_for(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (!request->keep || exchange->server->ends)
        return OUTPUT_CLOSE;
    return request->parser.http_minor == 0 ? OUTPUT_KEEP_OLD : OUTPUT_KEEP;
}

void exchange_answer(struct exchange *exchange)
{
    enum output_end end = end_for(exchange);

    exchange->closes = end == OUTPUT_CLOSE;
    output_put(&exchange->output, &exchange->reply, end,
               !request_is(&exchange->request, HTTP_HEAD));
    exchange->is_answered = true;
}

void exchange_next(struct exchange *exchange)
{
    exchange->is_answered = false;
    input_next(&exchange->input);
    request_next(&exchange->request);
    reply_free(&exchange->reply);
}

/* ---- For handlers -------------------------------------------------------- */

void exchange_send(struct errand *errand)
{
    (void)moat_co_yield(moat_co_current(), errand);
}

static void *borrow(void *arg)
{
    struct exchange *exchange = arg;

    exchange->heap = heap_take();
    return exchange->heap;
}

bool exchange_borrow_heap(struct exchange *exchange)
{
    return host_call(borrow, exchange) != NULL;
}
