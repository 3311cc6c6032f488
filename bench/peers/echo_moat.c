/*
 * echo_moat.c: moat's echo server for bench/echo: a task for each connection.
 * Descriptor 3 is the listening socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE
#define BYTES 512

static void hang_up(void *arg)
{
    (void)moat_close((int)(intptr_t)arg);
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[BYTES];
    ssize_t got;

    if (moat_co_defer(moat_co_current(), hang_up, arg) != MOAT_OK)
        exit(1);
    while ((got = moat_read(fd, bytes, sizeof bytes, NEVER)) > 0)
        if (moat_write(fd, bytes, (size_t)got, NEVER) < 0)
            break;
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

int main(void)
{
    return moat_sched_run(NULL, accept_all, NULL, NULL) == MOAT_OK ? 0 : 1;
}
