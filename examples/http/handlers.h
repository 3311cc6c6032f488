/*
 * handlers.h: what a request is to its handler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_HANDLERS_H
#define EXAMPLES_HTTP_HANDLERS_H

#include <http_parser.h>

#include <moat/sched.h>

#define URL_BYTES    128
#define ANSWER_BYTES 512

/* In memory of the host: a handler that crashes leaves what it has written. */
struct exchange {
    char url[URL_BYTES];
    size_t body_bytes;
    int status;
    char answer[ANSWER_BYTES];
};

/* A task's function: handles a struct exchange. */
void *handle(void *exchange);

#endif
