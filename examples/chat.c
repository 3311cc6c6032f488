/*
 * chat.c: a chat server. Each member's lines go to the others' outboxes. A
 * member that does not read is disconnected when its outbox is full.
 *
 *     chat         lets members of its own talk, and ends
 *     chat PORT    serves until it is killed
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <moat/sched.h>

#define NEVER  MOAT_NO_DEADLINE
#define OUTBOX 16

/* Of what a member has not read yet, besides its outbox. */
#define SEND_BYTES 16384

struct line {
    char text[120];
};

/* ---- The server: all of it runs on one thread ---- */

struct member {
    struct member *next;
    int fd;
    char name[16];
    moat_chan *outbox; /* struct line */
};

static struct member *members;

static void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* To all but one. A member whose outbox is full loses its connection, which its
 * tasks notice. */
__attribute__((format(printf, 2, 3))) static void
tell(const struct member *except, const char *format, ...)
{
    struct line line;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line.text, sizeof line.text, format, arguments);
    va_end(arguments);
    for (struct member *each = members; each != NULL; each = each->next)
        if (each != except && moat_chan_send(each->outbox, &line, 0) != MOAT_OK)
            (void)shutdown(each->fd, SHUT_RDWR);
}

static void *write_outbox(void *arg)
{
    const struct member *member = arg;
    struct line line;

    while (moat_chan_recv(member->outbox, &line, NEVER) == MOAT_OK)
        if (moat_write(member->fd, line.text, strlen(line.text), NEVER) < 0)
            break;
    return NULL;
}

/* A line without its end; false: the end of the connection. */
static bool read_line(int fd, char *text, size_t size)
{
    size_t length = 0;

    while (length + 1 < size && moat_read(fd, text + length, 1, NEVER) == 1 &&
           text[length] != '\n')
        length++;
    text[length] = '\0';
    return length != 0;
}

/* However the member's task ends. */
static void leave(void *arg)
{
    struct member *member = arg;
    struct member **at = &members;

    while (*at != member)
        at = &(*at)->next;
    *at = member->next;
    tell(member, "* %s leaves\n", member->name);
    moat_chan_close(member->outbox);
    moat_chan_destroy(member->outbox);
    (void)moat_close(member->fd);
    free(member);
}

static void *serve(void *arg)
{
    struct member *member = arg;
    moat_group *group;
    char text[80];

    member->next = members;
    members = member;
    check(moat_co_defer(moat_co_current(), leave, member) == MOAT_OK, "defer");
    check(moat_chan_create(&member->outbox, sizeof(struct line), OUTBOX) ==
              MOAT_OK,
          "moat_chan_create");
    /* The writer ends before this task does. */
    check(moat_group_open(&group, 0) == MOAT_OK, "moat_group_open");
    check(moat_task_spawn(group, write_outbox, member, NULL, NULL) == MOAT_OK,
          "moat_task_spawn");
    if (read_line(member->fd, member->name, sizeof member->name)) {
        tell(NULL, "* %s comes\n", member->name);
        while (read_line(member->fd, text, sizeof text))
            tell(member, "%s: %s\n", member->name, text);
    }
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;

    while ((fd = moat_accept(listener, NEVER)) >= 0) {
        struct member *member = calloc(1, sizeof *member);
        int bytes = SEND_BYTES;

        check(member != NULL, "calloc");
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        member->fd = fd;
        if (moat_task_spawn(NULL, serve, member, NULL, NULL) != MOAT_OK) {
            free(member);
            (void)moat_close(fd);
        }
    }
    return NULL;
}

/* ---- Members ---- */

static char port[8];

static int join_as(const char *name)
{
    int fd = moat_dial_tcp("127.0.0.1", port, NEVER);
    char text[32];

    check(fd >= 0, "moat_dial_tcp");
    snprintf(text, sizeof text, "%s\n", name);
    check(moat_write(fd, text, strlen(text), NEVER) > 0, "moat_write");
    return fd;
}

static void say(int fd, const char *text)
{
    check(moat_write(fd, text, strlen(text), NEVER) > 0, "moat_write");
}

static void hear(const char *name, int fd)
{
    char text[120];

    if (read_line(fd, text, sizeof text))
        printf("%s hears: %s\n", name, text);
    else
        printf("%s hears nothing any more\n", name);
}

/* Talks until the one that does not read is put out. */
static void flood(int ann, int bob)
{
    char text[120];

    do {
        say(bob, "so I said to him, wait a minute, and he said to me\n");
        check(read_line(ann, text, sizeof text), "ann");
    } while (strncmp(text, "* cy leaves", 11) != 0);
}

static void *talk(void *arg)
{
    int listener = moat_listen_tcp("127.0.0.1", "0", 0), ann, bob, cy;
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    check(listener >= 0, "moat_listen_tcp");
    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "getsockname");
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    check(moat_task_spawn(NULL, accept_all, (void *)(intptr_t)listener, NULL,
                          NULL) == MOAT_OK,
          "moat_task_spawn");
    ann = join_as("ann");
    hear("ann", ann);
    bob = join_as("bob");
    hear("ann", ann);
    hear("bob", bob);
    say(bob, "hello\n");
    hear("ann", ann);
    say(ann, "hello, bob\n");
    hear("bob", bob);
    (void)moat_close(bob);
    hear("ann", ann);
    bob = join_as("bob");
    hear("ann", ann);
    hear("bob", bob);
    cy = join_as("cy"); /* never reads */
    hear("ann", ann);
    hear("bob", bob);
    flood(ann, bob);
    hear("bob", bob);
    (void)moat_close(ann);
    (void)moat_close(bob);
    (void)moat_close(cy);
    (void)moat_close(listener);
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
    moat_task_fn fn = argc > 1 ? serve_port : talk;

    return moat_sched_run(NULL, fn, argc > 1 ? argv[1] : NULL, NULL) == MOAT_OK
               ? 0
               : 1;
}
