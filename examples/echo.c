/*
 * echo.c: an echo server. Each connection has a task of its own; one whose task
 * crashes is closed, and the others go on.
 *
 *     echo         serves three clients of its own and ends
 *     echo PORT    serves until it is killed
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <moat/sched.h>

#define NEVER  MOAT_NO_DEADLINE
#define SECOND UINT64_C(1000000000)

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* ---- The server ---- */

/* Has a bug: it cannot cope with an exclamation mark. */
static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char bytes[512];
    ssize_t got;

    while ((got = moat_read(fd, bytes, sizeof bytes,
                            moat_now() + 60 * SECOND)) > 0) {
        if (memchr(bytes, '!', (size_t)got) != NULL)
            *(volatile char *)NULL = '!';
        if (moat_write(fd, bytes, (size_t)got, moat_now() + 60 * SECOND) < 0)
            break;
    }
    return NULL;
}

/* Until the listening socket is closed. A connection is closed when its task
 * has ended, in whatever way. */
static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg;

    while (moat_accept_spawn(listener, NULL, serve, NULL, NEVER, NULL) == 0)
        ;
    return NULL;
}

/* ---- Clients ---- */

static char port[8];

static void *talk(void *arg)
{
    int fd = moat_dial_tcp("127.0.0.1", port, NEVER);
    const char *text = arg;
    char answer[64];
    ssize_t got;

    check(fd >= 0, "moat_dial_tcp");
    check(moat_write(fd, text, strlen(text), NEVER) > 0, "moat_write");
    got = moat_read(fd, answer, sizeof answer, NEVER);
    if (got > 0)
        printf("%s: %.*s\n", text, (int)got, answer);
    else
        printf("%s: the server has hung up\n", text);
    (void)moat_close(fd);
    return arg;
}

static void read_port(int listener)
{
    struct sockaddr_in6 address; /* the port is where sockaddr_in has it */
    socklen_t length = sizeof address;

    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "getsockname");
    snprintf(port, sizeof port, "%d", ntohs(address.sin6_port));
}

static void *serve_three(void *arg)
{
    static const char *const texts[] = {"hello", "help!", "bye"};
    int listener = moat_listen_tcp("127.0.0.1", "0", 0);

    check(listener >= 0, "moat_listen_tcp");
    read_port(listener);
    check(moat_task_spawn(NULL, accept_all, (void *)(intptr_t)listener, NULL,
                          NULL) == MOAT_OK,
          "spawn");
    for (int i = 0; i < 3; i++)
        (void)talk((void *)(uintptr_t)texts[i]);
    (void)moat_close(listener); /* ends accept_all */
    return arg;
}

static void *serve_port(void *arg)
{
    int listener = moat_listen_tcp(NULL, arg, 0);

    check(listener >= 0, "moat_listen_tcp");
    return accept_all((void *)(intptr_t)listener);
}

int main(int argc, char **argv)
{
    moat_task_fn fn = argc > 1 ? serve_port : serve_three;

    return moat_sched_run(NULL, fn, argc > 1 ? argv[1] : NULL, NULL) == MOAT_OK
               ? 0
               : 1;
}
