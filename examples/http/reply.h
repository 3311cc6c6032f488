/*
 * reply.h: what a handler answers.
 *
 * A reply lies in memory of the host: a handler that fails leaves what it has
 * written, and the server then replaces it by another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_REPLY_H
#define EXAMPLES_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a reply's body. */
#define MAX_REPLY ((size_t)1 << 20)
/* Bodies up to this size need no memory of their own. */
#define SMALL_REPLY 256

struct reply {
    int status;
    const char *type;  /* of the body                                       */
    const char *field; /* a line of the head, "\r\n" included; NULL: none    */
    char *body;
    size_t length, room;
    char small[SMALL_REPLY];
};

void reply_begin(struct reply *reply);
void reply_free(struct reply *reply);

/* Appends to the body; a handler may call it. False: it would be too long, or
 * there is no memory. */
bool reply_write(struct reply *reply, const void *bytes, size_t length);
bool reply_text(struct reply *reply, const char *text);

/* Answers with a status and a text of one line, instead of what is there. */
void reply_status(struct reply *reply, int status);
void reply_line(struct reply *reply, int status, const char *text);

const char *reply_reason(int status);

#endif
