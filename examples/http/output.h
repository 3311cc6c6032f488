/*
 * output.h: bytes on their way to a client.
 *
 * Answers are composed in one buffer, which all connections of the thread
 * share, and a batch of answers is sent by one call. So a connection that has
 * put something there must flush it before it lets another task run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_OUTPUT_H
#define EXAMPLES_HTTP_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "reply.h"

/* What a head says of the connection. */
enum output_end {
    OUTPUT_KEEP,     /* HTTP/1.1 keeps it without a word */
    OUTPUT_KEEP_OLD, /* HTTP/1.0 must hear it            */
    OUTPUT_CLOSE
};

/* The Date of answers from now on. */
void output_set_date(void);

/* Puts an answer. `body`: false for HEAD, whose answer has only the length.
 * False: the client is gone, or does not read. */
bool output_reply(int fd, const struct reply *reply, enum output_end end,
                  bool body, uint64_t write_time);
bool output_continue(int fd, uint64_t write_time);

/* Sends what was put. */
bool output_flush(int fd, uint64_t write_time);

/* Forgets what was put. */
void output_drop(void);

#endif
