/*
 * http_uv.c: an HTTP server by callbacks of libuv, for bench/http: the parser
 * and the bytes of an answer are those of moat's, and there are no guests.
 * Descriptor 3 is the listening socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <http_parser.h>
#include <uv.h>

#define INPUT_BYTES  4096
#define OUTPUT_BYTES 16384
#define HEAD_BYTES   512

struct client {
    uv_tcp_t tcp;
    http_parser parser;
    bool is_hello, closes;
};

/* libuv reads when it has asked for the memory, and the callback follows at
 * once: all clients can share it. So they do the output. */
static char input[INPUT_BYTES];
static char output[OUTPUT_BYTES];
static size_t used;

static char date[64];
static size_t date_length;

static void check(int status)
{
    if (status < 0)
        exit(1);
}

/* ---- Answers --------------------------------------------------------------
 */

static void on_second(uv_timer_t *timer)
{
    time_t now = time(NULL);
    struct tm tm;

    (void)timer;
    (void)gmtime_r(&now, &tm);
    date_length =
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
}

static void put(const char *bytes, size_t length)
{
    memcpy(output + used, bytes, length);
    used += length;
}

static void put_text(const char *text)
{
    put(text, strlen(text));
}

static void put_answer(bool is_hello)
{
    put_text(is_hello ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 404 Not Found\r\n");
    put(date, date_length);
    put_text("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ");
    put_text(is_hello ? "6\r\n\r\nhello\n" : "10\r\n\r\nNot Found\n");
}

static void on_close(uv_handle_t *handle)
{
    free(handle);
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

/* What the kernel does not take at once is written by a request. */
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
    uv_buf_t bytes = uv_buf_init(output, (unsigned)used);
    size_t length = used;
    int sent;

    if (length == 0)
        return;
    used = 0;
    sent = uv_try_write((uv_stream_t *)&client->tcp, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        hang_up(client);
        return;
    }
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < length)
        write_rest(client, output + sent, length - (size_t)sent);
}

/* ---- Requests -------------------------------------------------------------
 */

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct client *client = parser->data;

    client->is_hello = length == 6 && memcmp(at, "/hello", 6) == 0;
    return 0;
}

static int on_whole(http_parser *parser)
{
    struct client *client = parser->data;

    client->closes = http_should_keep_alive(parser) == 0;
    if (OUTPUT_BYTES - used < HEAD_BYTES)
        flush(client);
    put_answer(client->is_hello);
    return 0;
}

static const http_parser_settings callbacks = {.on_url = on_url,
                                               .on_message_complete = on_whole};

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    (void)handle;
    (void)size;
    *out = uv_buf_init(input, INPUT_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct client *client = (struct client *)stream;

    if (got < 0) {
        hang_up(client);
    } else if (got > 0) {
        size_t parsed = http_parser_execute(&client->parser, &callbacks,
                                            buffer->base, (size_t)got);

        flush(client);
        if (parsed != (size_t)got || client->closes)
            hang_up(client);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct client *client = calloc(1, sizeof *client);

    check(status);
    if (client == NULL)
        exit(1);
    http_parser_init(&client->parser, HTTP_REQUEST);
    client->parser.data = client;
    check(uv_tcp_init(listener->loop, &client->tcp));
    check(uv_accept(listener, (uv_stream_t *)&client->tcp));
    check(uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read));
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
