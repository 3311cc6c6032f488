/*
 * request.c: a request, from the parser's callbacks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host_call.h"
#include "request.h"

/* Memory of a body that a connection keeps for its next one. */
#define KEEP_BODY 4096

static struct span span_of(const struct request *request, struct part part)
{
    return (struct span){request->head + part.at, part.length};
}

static bool is_text(struct span span, const char *text)
{
    return span.length == strlen(text) &&
           strncasecmp(span.at, text, span.length) == 0;
}

/* ---- The parser's callbacks ---------------------------------------------- */

static int refuse(struct request *request, int status)
{
    request->refusal = status;
    return -1;
}

/* A part may come in several pieces, which lie one after the other. A field
 * that goes on in the next line does not, and is refused. */
static int extend(struct request *request, struct part *part, const char *at,
                  size_t length)
{
    uint32_t offset = (uint32_t)(at - request->head);

    if (part->length == 0)
        part->at = offset;
    else if (part->at + part->length != offset && length != 0)
        return refuse(request, 400);
    part->length += (uint32_t)length;
    return 0;
}

static int on_begin(http_parser *parser)
{
    struct request *request = parser->data;

    request->stage = REQUEST_HEAD;
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;

    return extend(request, &request->url, at, length);
}

/* Fields after the last chunk are dropped. */
static bool is_trailer(const struct request *request)
{
    return request->stage != REQUEST_HEAD;
}

static int on_name(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;
    bool begins = request->field_count == 0 || request->in_value;

    if (is_trailer(request))
        return 0;
    if (begins && request->field_count == MAX_FIELDS)
        return refuse(request, 431);
    if (begins)
        request->fields[request->field_count++] = (struct field){0};
    request->in_value = false;
    return extend(request, &request->fields[request->field_count - 1].name, at,
                  length);
}

static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;

    if (is_trailer(request))
        return 0;
    request->in_value = true;
    return extend(request, &request->fields[request->field_count - 1].value, at,
                  length);
}

static size_t count_fields(const struct request *request, const char *name)
{
    size_t count = 0;

    for (unsigned i = 0; i < request->field_count; i++)
        count += is_text(span_of(request, request->fields[i].name), name);
    return count;
}

/* 0: the head is in order. */
static int judge_head(struct request *request)
{
    const http_parser *parser = &request->parser;
    struct span expect = request_field(request, "Expect");

    if (parser->http_major != 1 || parser->http_minor > 1)
        return 505;
    if (parser->method == HTTP_CONNECT)
        return 501;
    if (parser->http_minor == 1 && count_fields(request, "Host") != 1)
        return 400;
    if ((parser->flags & F_CONTENTLENGTH) != 0 &&
        parser->content_length > (uint64_t)request->settings->max_body)
        return 413;
    if (expect.at != NULL && !is_text(expect, "100-continue"))
        return 417;
    request->wants_continue = expect.at != NULL && parser->http_minor == 1;
    return 0;
}

static int on_head(http_parser *parser)
{
    struct request *request = parser->data;
    int status = judge_head(request);

    if (status != 0)
        return refuse(request, status);
    request->stage = REQUEST_BODY;
    parser->upgrade = 0; /* the answer is one of this protocol */
    return 0;
}

static void *grow(void *arg)
{
    struct request *request = arg;
    size_t room = request->body_room > 0 ? 2 * request->body_room : KEEP_BODY;
    char *body = realloc(request->body, room);

    if (body == NULL)
        return NULL;
    request->body = body;
    request->body_room = room;
    return body;
}

static int on_body(http_parser *parser, const char *at, size_t length)
{
    struct request *request = parser->data;

    request->wants_continue = false; /* it did not wait */
    if (request->body_length + length > (size_t)request->settings->max_body)
        return refuse(request, 413);
    while (length > request->body_room - request->body_length)
        if (host_call(grow, request) == NULL)
            return refuse(request, 503);
    memcpy(request->body + request->body_length, at, length);
    request->body_length += length;
    return 0;
}

/* The next request of the same client is parsed after this one's answer. */
static int on_whole(http_parser *parser)
{
    struct request *request = parser->data;

    request->stage = REQUEST_WHOLE;
    request->wants_continue = false;
    request->keep = http_should_keep_alive(parser) != 0;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings callbacks = {.on_message_begin = on_begin,
                                               .on_url = on_url,
                                               .on_header_field = on_name,
                                               .on_header_value = on_value,
                                               .on_headers_complete = on_head,
                                               .on_body = on_body,
                                               .on_message_complete = on_whole};

/* ---- Parsing ------------------------------------------------------------- */

void request_begin(struct request *request, const struct settings *settings)
{
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
    request->settings = settings;
    request->body = NULL;
    request->body_length = request->body_room = 0;
    request_next(request);
}

void request_next(struct request *request)
{
    request->stage = REQUEST_NONE;
    request->refusal = 0;
    request->url = (struct part){0};
    request->field_count = 0;
    request->in_value = request->wants_continue = request->keep = false;
    request->body_length = 0;
    if (request->body_room > KEEP_BODY)
        request_free(request);
}

void request_free(struct request *request)
{
    free(request->body);
    request->body = NULL;
    request->body_room = 0;
}

static int status_of(const struct request *request, enum http_errno error)
{
    switch (error) {
    case HPE_HEADER_OVERFLOW:
        return request->field_count == 0 ? 414 : 431;
    case HPE_INVALID_VERSION:
        return 505;
    case HPE_INVALID_TRANSFER_ENCODING:
        return 501;
    default:
        return 400;
    }
}

size_t request_parse(struct request *request, const char *head,
                     const char *bytes, size_t length)
{
    http_parser *parser = &request->parser;
    size_t parsed;
    enum http_errno error;

    request->head = head;
    parsed = http_parser_execute(parser, &callbacks, bytes, length);
    error = HTTP_PARSER_ERRNO(parser);
    if (error == HPE_PAUSED)
        http_parser_pause(parser, 0);
    else if (error != HPE_OK && request->refusal == 0)
        request->refusal = status_of(request, error);
    return parsed;
}

void request_fail(struct request *request)
{
    if (request->stage == REQUEST_WHOLE)
        return;
    request->stage = REQUEST_WHOLE;
    request->keep = false;
}

size_t request_head_length(const struct request *request)
{
    struct part last = request->url;

    if (request->field_count > 0)
        last = request->fields[request->field_count - 1].value;
    return last.at + last.length;
}

/* ---- For handlers -------------------------------------------------------- */

const char *request_method(const struct request *request)
{
    return http_method_str(request->parser.method);
}

bool request_is(const struct request *request, enum http_method method)
{
    return request->parser.method == method;
}

/* An absolute URL is one of a proxy: its path begins after the host. */
static struct span after_host(struct span url)
{
    const char *host = url.length > 0 && url.at[0] != '/'
                           ? memmem(url.at, url.length, "://", 3)
                           : NULL;
    const char *end = url.at + url.length;
    const char *path =
        host != NULL ? memchr(host + 3, '/', (size_t)(end - host - 3)) : NULL;

    if (path == NULL)
        return url;
    return (struct span){path, (size_t)(end - path)};
}

struct span request_url(const struct request *request)
{
    return span_of(request, request->url);
}

struct span request_path(const struct request *request)
{
    struct span url = after_host(request_url(request));
    const char *mark = memchr(url.at, '?', url.length);

    if (mark != NULL)
        url.length = (size_t)(mark - url.at);
    return url;
}

struct span request_query(const struct request *request)
{
    struct span url = after_host(request_url(request));
    const char *mark = memchr(url.at, '?', url.length);

    if (mark == NULL)
        return (struct span){NULL, 0};
    return (struct span){mark + 1, url.length - (size_t)(mark + 1 - url.at)};
}

struct span request_field(const struct request *request, const char *name)
{
    for (unsigned i = 0; i < request->field_count; i++)
        if (is_text(span_of(request, request->fields[i].name), name))
            return span_of(request, request->fields[i].value);
    return (struct span){NULL, 0};
}

struct span request_body(const struct request *request)
{
    return (struct span){request->body, request->body_length};
}
