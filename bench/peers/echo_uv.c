/*
 * echo_uv.c: the echo server by callbacks of libuv, for bench/echo. Descriptor
 * 3 is the listening socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <uv.h>

#define BYTES 512

struct client {
    uv_tcp_t tcp;
    uv_write_t write;
    char bytes[BYTES];
};

static void check(int status)
{
    if (status < 0)
        exit(1);
}

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
    struct client *client = (struct client *)handle;

    (void)size;
    *out = uv_buf_init(client->bytes, BYTES);
}

static void on_write(uv_write_t *write, int status)
{
    if (status < 0)
        uv_close((uv_handle_t *)write->handle, on_close);
}

/* One request at a time is under way, so the buffer is free again. What the
 * kernel does not take at once is written by a request. */
static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct client *client = (struct client *)stream;
    uv_buf_t bytes = uv_buf_init(buffer->base, (unsigned)(got > 0 ? got : 0));

    if (got < 0) {
        uv_close((uv_handle_t *)stream, on_close);
    } else if (got > 0 && uv_try_write(stream, &bytes, 1) != got) {
        check(uv_write(&client->write, stream, &bytes, 1, on_write));
    }
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

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;

    check(uv_tcp_init(loop, &listener));
    check(uv_tcp_open(&listener, 3));
    check(uv_listen((uv_stream_t *)&listener, 4096, on_connection));
    return uv_run(loop, UV_RUN_DEFAULT);
}
