/*
 * handlers.c: handlers, most of them bad.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "handlers.h"

static void say_hello(struct exchange *exchange)
{
    snprintf(exchange->answer, ANSWER_BYTES, "hello\n");
}

static void count_bytes(struct exchange *exchange)
{
    snprintf(exchange->answer, ANSWER_BYTES, "%zu bytes\n",
             exchange->body_bytes);
}

static void follow_null(struct exchange *exchange)
{
    exchange->answer[0] = *(volatile char *)NULL;
}

static int recurse(volatile int depth)
{
    volatile char bytes[256];

    bytes[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + bytes[0];
}

static void overflow(struct exchange *exchange)
{
    exchange->status = recurse(0);
}

static void loop(struct exchange *exchange)
{
    for (volatile int i = 0;; i = !i)
        exchange->answer[0] = 'x';
}

/* Its heap is limited, and it does not look whether it got memory. */
static void eat(struct exchange *exchange)
{
    moat_heap *heap = moat_co_heap(moat_co_current());

    for (;;)
        memset(moat_heap_alloc(heap, 10000), exchange->url[0], 10000);
}

static const struct route {
    const char *url;
    void (*handler)(struct exchange *exchange);
} routes[] = {{"/hello", say_hello},   {"/bytes", count_bytes},
              {"/null", follow_null},  {"/loop", loop},
              {"/overflow", overflow}, {"/eat", eat}};

void *handle(void *arg)
{
    struct exchange *exchange = arg;

    exchange->status = 404;
    snprintf(exchange->answer, ANSWER_BYTES, "not found\n");
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].url, exchange->url) == 0) {
            exchange->status = 200;
            routes[i].handler(exchange);
        }
    return NULL;
}
