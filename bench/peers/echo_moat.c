/*
 * echo_moat.c: moat's echo server for bench/echo: a task for each connection.
 * Descriptor 3 is the listening socket.
 *
 *     echo_moat           the connection's task answers
 *     echo_moat guests    each request is a task of its own
 *     echo_moat crashes   and every hundredth follows a null pointer
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE
#define BYTES 512

static void hang_up(void *arg)
{
    (void)moat_close((int)(intptr_t)arg);
}

static bool has_guests, has_crashes;

static void *handle(void *arg)
{
    static unsigned requests;

    if (has_crashes && ++requests % 100 == 0)
        *(volatile int *)NULL = 1;
    return arg;
}

/* In a task of its own; one that crashes is answered all the same. */
static void handle_apart(void)
{
    moat_task *task;

    if (moat_task_spawn(NULL, handle, NULL, NULL, &task) != MOAT_OK ||
        moat_task_join(task, NEVER, NULL) != MOAT_OK)
        exit(1);
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[BYTES];
    ssize_t got;

    if (moat_co_defer(moat_co_current(), hang_up, arg) != MOAT_OK)
        exit(1);
    while ((got = moat_read(fd, bytes, sizeof bytes, NEVER)) > 0) {
        if (has_guests)
            handle_apart();
        if (moat_write(fd, bytes, (size_t)got, NEVER) < 0)
            break;
    }
    return NULL;
}

static void *accept_all(void *arg)
{
    int fd;

    while ((fd = moat_accept(3, NEVER)) >= 0)
        if (moat_task_spawn(NULL, serve, (void *)(intptr_t)fd, NULL, NULL) !=
            MOAT_OK)
            exit(1);
    return arg;
}

int main(int argc, char **argv)
{
    has_guests = argc > 1;
    has_crashes = argc > 1 && strcmp(argv[1], "crashes") == 0;
    return moat_sched_run(NULL, accept_all, NULL, NULL) == MOAT_OK ? 0 : 1;
}
