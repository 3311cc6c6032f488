/*
 * output.h: bytes on their way to a client.
 *
 * The answers to requests that came together are composed one after the other
 * and sent by one call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_OUTPUT_H
#define EXAMPLES_HTTP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reply.h"

#define OUTPUT_BYTES 4096

/* The Connection field of a head. */
enum output_end {
    OUTPUT_KEEP,     /* HTTP/1.1 keeps it without a word */
    OUTPUT_KEEP_OLD, /* HTTP/1.0 must hear it            */
    OUTPUT_CLOSE
};

struct output {
    size_t length;
    const char *body; /* follows the bytes; NULL: none. It stays the reply's */
    size_t body_length;
    size_t sent; /* of both */
    char bytes[OUTPUT_BYTES];
};

/* The Date of answers from now on. */
void output_set_date(void);

void output_begin(struct output *output);

/* Puts an answer. `has_body`: false for HEAD, whose answer has only the length.
 * The output must not be full. */
void output_put(struct output *output, const struct reply *reply,
                enum output_end end, bool has_body);
void output_put_continue(struct output *output);

/* Has no room for another head. */
bool output_is_full(const struct output *output);
bool output_is_empty(const struct output *output);

/* Sends what the client takes at once. False: it is gone. */
bool output_send(struct output *output, int fd);
/* Sends all, and waits for that. False: it is gone, or too slow. */
bool output_write(struct output *output, int fd, uint64_t deadline);

#endif
