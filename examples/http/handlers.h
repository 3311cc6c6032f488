/*
 * handlers.h: handlers in C, most of them bad.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_HANDLERS_H
#define EXAMPLES_HTTP_HANDLERS_H

#include "exchange.h"

void say_hello(struct exchange *exchange);
void count_bytes(struct exchange *exchange);
void echo_body(struct exchange *exchange);
/* A body of as many bytes as the query says. */
void write_much(struct exchange *exchange);
/* Waits for as many milliseconds as the query says. */
void wait_a_while(struct exchange *exchange);

void follow_null(struct exchange *exchange);
void overflow(struct exchange *exchange);
void loop(struct exchange *exchange);
void eat(struct exchange *exchange);
/* Every hundredth of them follows a null pointer. */
void fail_sometimes(struct exchange *exchange);

#endif
