/*
 * handlers.c: handlers in C, most of them bad.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <moat/sched.h>

#include "handlers.h"

/* ---- Good ones ----------------------------------------------------------- */

/* A number without a sign; 0: none. It has at most seven digits. */
static size_t read_number(struct span text)
{
    size_t number = 0;

    for (size_t i = 0; i < text.length && i < 7; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        number = 10 * number + (size_t)(text.at[i] - '0');
    }
    return number;
}

static void write_number(struct reply *reply, size_t number)
{
    char digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    (void)reply_write(reply, digits + at, sizeof digits - at);
}

void say_hello(struct exchange *exchange)
{
    (void)reply_text(&exchange->reply, "hello\n");
}

void count_bytes(struct exchange *exchange)
{
    write_number(&exchange->reply, request_body(&exchange->request).length);
    (void)reply_text(&exchange->reply, " bytes\n");
}

void echo_body(struct exchange *exchange)
{
    struct span body = request_body(&exchange->request);

    exchange->reply.type = "application/octet-stream";
    if (!reply_write(&exchange->reply, body.at, body.length))
        reply_status(&exchange->reply, 507);
}

void write_much(struct exchange *exchange)
{
    static const char line[] = "0123456789abcdef0123456789abcdef"
                               "0123456789abcdef0123456789abcde\n";
    size_t left = read_number(request_query(&exchange->request));

    while (left > 0) {
        size_t part = left < sizeof line - 1 ? left : sizeof line - 1;

        if (!reply_write(&exchange->reply, line, part)) {
            reply_status(&exchange->reply, 507);
            return;
        }
        left -= part;
    }
}

static void sleep_for(void *arg, uint64_t deadline)
{
    const uint64_t *ns = arg;
    uint64_t left = deadline - moat_now();

    (void)moat_sleep(*ns < left ? *ns : left);
}

void wait_a_while(struct exchange *exchange)
{
    uint64_t ns =
        read_number(request_query(&exchange->request)) * UINT64_C(1000000);
    struct errand errand = {sleep_for, &ns};

    exchange_send(&errand);
    (void)reply_text(&exchange->reply, "awake\n");
}

/* ---- Bad ones ------------------------------------------------------------ */

void follow_null(struct exchange *exchange)
{
    exchange->reply.status = *(volatile int *)NULL;
}

static int recurse(volatile int depth)
{
    volatile char bytes[256];

    bytes[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + bytes[0];
}

void overflow(struct exchange *exchange)
{
    exchange->reply.status = recurse(0);
}

void loop(struct exchange *exchange)
{
    for (volatile int i = 0;; i = !i)
        exchange->reply.small[0] = 'x';
}

/* Its heap is limited, and it does not check whether it got memory. */
void eat(struct exchange *exchange)
{
    for (;;)
        memset(moat_heap_alloc(exchange->heap, 10000), 'x', 10000);
}

void fail_sometimes(struct exchange *exchange)
{
    static unsigned count;

    if (++count % 100 == 0)
        follow_null(exchange);
    say_hello(exchange);
}
