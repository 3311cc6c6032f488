/*
 * reply.c: what a handler answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <http_parser.h>

#include "host_call.h"
#include "reply.h"

void reply_begin(struct reply *reply)
{
    reply->status = 200;
    reply->type = "text/plain; charset=utf-8";
    reply->field = NULL;
    reply->body = reply->small;
    reply->length = 0;
    reply->room = SMALL_REPLY;
}

void reply_free(struct reply *reply)
{
    if (reply->body != reply->small)
        free(reply->body);
    reply_begin(reply);
}

/* ---- Writing ------------------------------------------------------------- */

static void *grow(void *arg)
{
    struct reply *reply = arg;
    size_t room = 4 * reply->room < MAX_REPLY ? 4 * reply->room : MAX_REPLY;
    bool is_small = reply->body == reply->small;
    char *body = realloc(is_small ? NULL : reply->body, room);

    if (body == NULL)
        return NULL;
    if (is_small)
        memcpy(body, reply->small, reply->length);
    reply->body = body;
    reply->room = room;
    return body;
}

bool reply_write(struct reply *reply, const void *bytes, size_t length)
{
    if (length > MAX_REPLY - reply->length)
        return false;
    while (length > reply->room - reply->length)
        if (host_call(grow, reply) == NULL)
            return false;
    memcpy(reply->body + reply->length, bytes, length);
    reply->length += length;
    return true;
}

bool reply_text(struct reply *reply, const char *text)
{
    return reply_write(reply, text, strlen(text));
}

/* ---- Statuses ------------------------------------------------------------ */

const char *reply_reason(int status)
{
    switch (status) {
#define REASON(number, name, text) \
    case number:                   \
        return #text;
        HTTP_STATUS_MAP(REASON)
#undef REASON
    default:
        return "Unknown";
    }
}

void reply_line(struct reply *reply, int status, const char *text)
{
    const char *field = reply->field;

    reply_free(reply);
    reply->status = status;
    reply->field = field;
    (void)reply_text(reply, text);
    (void)reply_text(reply, "\n");
}

void reply_status(struct reply *reply, int status)
{
    reply_line(reply, status, reply_reason(status));
}
