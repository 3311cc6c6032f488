/*
 * http_uv.c: the example's HTTP server by callbacks of libuv, for bench/http:
 * requests, replies and the output are those of examples/http. It has no
 * guests, and no limits of time. Descriptor 3 is the listening socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "input.h"
#include "output.h"
#include "reply.h"
#include "request.h"

#define INPUT_BYTES 16384

/* The memory of a request; clients use it in turn, as in the example. */
struct exchange {
    struct exchange *next;
    struct input input;
    struct request request;
    struct reply reply;
    struct output output;
};

struct client {
    uv_tcp_t tcp;
    struct exchange *exchange; /* NULL: no request has begun */
};

static const struct settings settings = {.max_header = 8192, .max_body = 65536};

static struct exchange *idle;

/* libuv asks for the memory when it is about to read, and the callback follows
 * at once: all clients can share it. */
static char received[INPUT_BYTES];

static void check(int status)
{
    if (status < 0)
        exit(1);
}

/* ---- Exchanges ----------------------------------------------------------- */

static struct exchange *take(void)
{
    struct exchange *exchange = idle;

    if (exchange != NULL)
        idle = exchange->next;
    else
        exchange = malloc(sizeof *exchange);
    if (exchange == NULL)
        exit(1);
    input_begin(&exchange->input);
    request_begin(&exchange->request, &settings);
    reply_begin(&exchange->reply);
    output_begin(&exchange->output);
    return exchange;
}

static void give(struct client *client)
{
    struct exchange *exchange = client->exchange;

    if (exchange == NULL)
        return;
    input_free(&exchange->input);
    request_free(&exchange->request);
    reply_free(&exchange->reply);
    exchange->next = idle;
    idle = exchange;
    client->exchange = NULL;
}

/* ---- Clients ------------------------------------------------------------- */

static void on_close(uv_handle_t *handle)
{
    struct client *client = (struct client *)handle;

    give(client);
    free(client);
}

static void hang_up(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp))
        uv_close((uv_handle_t *)&client->tcp, on_close);
}

static void on_write(uv_write_t *write, int status)
{
    if (status < 0)
        hang_up((struct client *)write->handle);
    free(write);
}

/* Bytes that the kernel does not take at once are written by a request. */
static void write_rest(struct client *client, const char *bytes, size_t length)
{
    uv_write_t *write = malloc(sizeof *write + length);
    uv_buf_t rest = uv_buf_init((char *)(write + 1), (unsigned)length);

    if (write == NULL)
        exit(1);
    memcpy(rest.base, bytes, length);
    check(uv_write(write, (uv_stream_t *)&client->tcp, &rest, 1, on_write));
}

static void flush(struct client *client)
{
    struct output *output = &client->exchange->output;
    uv_buf_t bytes = uv_buf_init(output->bytes, (unsigned)output->length);
    int sent;

    if (output_is_empty(output))
        return;
    sent = uv_try_write((uv_stream_t *)&client->tcp, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN)
        hang_up(client);
    else if (sent < (int)output->length)
        write_rest(client, output->bytes + (sent > 0 ? sent : 0),
                   output->length - (size_t)(sent > 0 ? sent : 0));
    output_begin(output);
}

/* ---- Requests ------------------------------------------------------------ */

static void handle(struct exchange *exchange)
{
    struct span path = request_path(&exchange->request);

    if (path.length == 6 && memcmp(path.at, "/hello", 6) == 0)
        (void)reply_text(&exchange->reply, "hello\n");
    else
        reply_status(&exchange->reply, 404);
}

static void parse(struct exchange *exchange)
{
    struct input *input = &exchange->input;

    input->parsed +=
        request_parse(&exchange->request, input->bytes + input->begin,
                      input->bytes + input->parsed, input->end - input->parsed);
}

/* False: the connection is over. */
static bool answer(struct client *client)
{
    struct exchange *exchange = client->exchange;
    bool keep = exchange->request.keep;

    handle(exchange);
    output_put(&exchange->output, &exchange->reply,
               keep ? OUTPUT_KEEP : OUTPUT_CLOSE,
               !request_is(&exchange->request, HTTP_HEAD));
    if (output_is_full(&exchange->output))
        flush(client);
    input_next(&exchange->input);
    request_next(&exchange->request);
    reply_free(&exchange->reply);
    return keep;
}

/* False: the connection is over. */
static bool answer_all(struct client *client)
{
    struct exchange *exchange = client->exchange;

    while (!input_is_parsed(&exchange->input)) {
        parse(exchange);
        if (exchange->request.refusal != 0)
            return false;
        if (exchange->request.stage == REQUEST_WHOLE && !answer(client))
            return false;
    }
    return true;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    (void)handle;
    (void)size;
    *out = uv_buf_init(received, INPUT_BYTES);
}

static void receive(struct client *client, const char *bytes, size_t length)
{
    bool goes_on;

    if (client->exchange == NULL)
        client->exchange = take();
    if (!input_append(&client->exchange->input, bytes, length))
        exit(1);
    goes_on = answer_all(client);
    flush(client);
    if (!goes_on)
        hang_up(client);
    else if (client->exchange->request.stage == REQUEST_NONE)
        give(client);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct client *client = (struct client *)stream;

    if (got < 0)
        hang_up(client);
    else if (got > 0)
        receive(client, buffer->base, (size_t)got);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = calloc(1, sizeof *client);

    check(status);
    if (client == NULL)
        exit(1);
    check(uv_tcp_init(listener->loop, &client->tcp));
    check(uv_accept(listener, (uv_stream_t *)&client->tcp));
    check(uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read));
}

static void on_second(uv_timer_t *timer)
{
    (void)timer;
    output_set_date();
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_timer_t timer;

    on_second(NULL);
    check(uv_timer_init(loop, &timer));
    check(uv_timer_start(&timer, on_second, 1000, 1000));
    check(uv_tcp_init(loop, &listener));
    check(uv_tcp_open(&listener, 3));
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection));
    return uv_run(loop, UV_RUN_DEFAULT);
}
