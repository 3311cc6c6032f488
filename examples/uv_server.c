/*
 * uv_server.c: A server of a program that has a loop of libuv: the loop reads
 * and writes, and each request is a task, which may wait, and may crash.
 *
 * Shows: moat_uv_spawn, its function for the end, and clients that are tasks of
 * the same loop.
 *
 * Try this: let a request sleep (moat_sleep): the others do not wait for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <uv.h>

#include <moat/uv.h>

static moat_uv *tasks;
static uv_tcp_t listener;
static char port[8];

static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

/* ---- Requests: tasks ----------------------------------------------------- */

struct request {
    uv_tcp_t connection; /* the first member */
    uv_write_t write;
    char text[64]; /* the request; then the answer */
};

/* Has a bug: of negative numbers there is no end. */
static long sum_to(long n)
{
    volatile long rest = n == 0 ? 0 : sum_to(n - 1);

    return rest + n;
}

static void *compute(void *arg)
{
    struct request *request = arg;
    long sum = sum_to(strtol(request->text, NULL, 10));

    (void)snprintf(request->text, sizeof request->text, "%ld", sum);
    return NULL;
}

/* ---- The loop's part ----------------------------------------------------- */

static void free_request(uv_handle_t *handle)
{
    free(handle);
}

static void hang_up(uv_write_t *write, int status)
{
    (void)status;
    uv_close((uv_handle_t *)write->handle, free_request);
}

/* The task has ended, one way or another. */
static void reply(void *arg, const moat_result *result)
{
    struct request *request = arg;
    uv_buf_t buffer;

    if (result->kind != MOAT_EVENT_RETURN)
        (void)snprintf(request->text, sizeof request->text, "error: %s",
                       moat_trap_kind_str(result->trap.kind));
    buffer = uv_buf_init(request->text, (unsigned)strlen(request->text));
    check(uv_write(&request->write, (uv_stream_t *)&request->connection,
                   &buffer, 1, hang_up) == 0,
          "uv_write");
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct request *request = (struct request *)handle;

    (void)size;
    *buffer = uv_buf_init(request->text, sizeof request->text - 1);
}

/* A request is as long as a read here. */
static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct request *request = (struct request *)stream;

    (void)buffer;
    (void)uv_read_stop(stream);
    if (count <= 0) {
        uv_close((uv_handle_t *)stream, free_request);
        return;
    }
    request->text[count] = '\0';
    check(moat_uv_spawn(tasks, compute, request, NULL, reply, NULL) == MOAT_OK,
          "moat_uv_spawn");
}

static void on_connection(uv_stream_t *server, int status)
{
    struct request *request = calloc(1, sizeof *request);

    check(status == 0 && request != NULL, "a connection");
    check(uv_tcp_init(server->loop, &request->connection) == 0 &&
              uv_accept(server, (uv_stream_t *)&request->connection) == 0 &&
              uv_read_start((uv_stream_t *)&request->connection, give_room,
                            on_read) == 0,
          "uv_accept");
}

static void listen_at(uv_loop_t *loop)
{
    struct sockaddr_storage bound;
    struct sockaddr_in address;
    int length = sizeof bound;

    check(uv_ip4_addr("127.0.0.1", 0, &address) == 0 &&
              uv_tcp_init(loop, &listener) == 0 &&
              uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0 &&
              uv_listen((uv_stream_t *)&listener, 128, on_connection) == 0 &&
              uv_tcp_getsockname(&listener, (struct sockaddr *)&bound,
                                 &length) == 0,
          "uv_listen");
    (void)snprintf(port, sizeof port, "%d",
                   ntohs(((const struct sockaddr_in *)&bound)->sin_port));
}

/* ---- Clients: tasks of the same loop ------------------------------------- */

static void *ask(void *arg)
{
    static const char *const numbers[] = {"10", "-1", "100"};

    for (int i = 0; i < 3; i++) {
        int fd = moat_dial_tcp("127.0.0.1", port, MOAT_NO_DEADLINE);
        char answer[64];
        ssize_t size;

        check(fd >= 0, "moat_dial_tcp");
        check(moat_write(fd, numbers[i], strlen(numbers[i]), MOAT_NO_DEADLINE) >
                  0,
              "moat_write");
        size = moat_read(fd, answer, sizeof answer, MOAT_NO_DEADLINE);
        printf("%s: %.*s\n", numbers[i], (int)size, answer);
        (void)moat_close(fd);
    }
    return arg;
}

/* Nothing keeps the loop alive then. */
static void stop(void *arg, const moat_result *result)
{
    (void)arg;
    check(result->kind == MOAT_EVENT_RETURN, "ask");
    uv_close((uv_handle_t *)&listener, NULL);
    check(moat_uv_close(tasks, NULL, NULL) == MOAT_OK, "moat_uv_close");
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();

    listen_at(loop);
    check(moat_uv_open(loop, NULL, &tasks) == MOAT_OK, "moat_uv_open");
    check(moat_uv_spawn(tasks, ask, NULL, NULL, stop, NULL) == MOAT_OK,
          "moat_uv_spawn");
    check(uv_run(loop, UV_RUN_DEFAULT) == 0, "uv_run");
    check(uv_loop_close(loop) == 0, "uv_loop_close");
    return 0;
}
