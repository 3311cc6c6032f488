/*
 * request.h: a request, as it comes in.
 *
 * The head of a request stays where it was received, in the connection's input;
 * its parts are offsets there. The body is collected in memory of its own,
 * without the frames of a chunked one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_REQUEST_H
#define EXAMPLES_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <http_parser.h>

#include "settings.h"

#define MAX_FIELDS 64

/* Text that is not terminated. */
struct span {
    const char *at;
    size_t length;
};

/* A part of the head, by its offset from the head's first byte. */
struct part {
    uint32_t at, length;
};

struct field {
    struct part name, value;
};

enum stage {
    REQUEST_NONE, /* nothing of it is there      */
    REQUEST_HEAD, /* its head is incomplete      */
    REQUEST_BODY, /* its body is                 */
    REQUEST_WHOLE /* a handler may answer it     */
};

struct request {
    http_parser parser;
    enum stage stage;
    int refusal;      /* the status of an answer without a handler; 0: none */
    const char *head; /* its first byte                                     */
    struct part url;
    unsigned field_count;
    bool in_value; /* the parser is in a field's value                    */
    bool wants_continue;
    bool keep; /* the connection may have another one after it        */
    char *body;
    size_t body_length, body_room;
    const struct settings *settings;
    struct field fields[MAX_FIELDS];
};

/* The request before the first byte has come. */
void request_begin(struct request *request, const struct settings *settings);
/* Forgets a request that was answered. */
void request_next(struct request *request);
void request_free(struct request *request);

/* Parses bytes of the input; returns how many, which is fewer if the request is
 * whole or is refused. `head` is where its first byte lies by now. */
size_t request_parse(struct request *request, const char *head,
                     const char *bytes, size_t length);

/* Its guest has failed: there is an answer. If that was before the request was
 * whole, it is the last one. */
void request_fail(struct request *request);

/* Bytes of the head that must stay where they are: up to the last part's end.
 */
size_t request_head_length(const struct request *request);

/* For handlers. */
const char *request_method(const struct request *request);
bool request_is(const struct request *request, enum http_method method);
struct span request_url(const struct request *request);
struct span request_path(const struct request *request);
struct span request_query(const struct request *request);
/* Its `at` is NULL if there is no such field. Names have no case. */
struct span request_field(const struct request *request, const char *name);
struct span request_body(const struct request *request);

#endif
