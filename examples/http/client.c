/*
 * client.c: clients of the server's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <moat/sched.h>

#include "client.h"

#define NEVER MOAT_NO_DEADLINE

void check(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static char port[8];

static void send_text(int fd, const char *text)
{
    (void)moat_write(fd, text, strlen(text), NEVER);
}

/* The status lines and the bodies; the headers are left out. */
static void print_answers(int fd)
{
    static char text[8192];
    size_t length = 0;
    ssize_t got;
    bool header = false;

    while (length < sizeof text - 1 &&
           (got = moat_read(fd, text + length, sizeof text - 1 - length,
                            NEVER)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        bool status = strncmp(line, "HTTP/1.1 ", 9) == 0;
        const char *shown = status ? line + 9 : line;

        if (status || !header)
            printf("  %.*s\n", (int)strcspn(shown, "\r"), shown);
        header = status || (header && line[0] != '\r');
    }
}

static int dial(void)
{
    int fd = moat_dial_tcp("127.0.0.1", port, NEVER);

    check(fd >= 0, "moat_dial_tcp");
    return fd;
}

static void ask(const char *what, const char *requests)
{
    int fd = dial();

    printf("%s:\n", what);
    send_text(fd, requests);
    print_answers(fd);
    (void)moat_close(fd);
}

#define GET(url)  "GET " url " HTTP/1.1\r\nHost: x\r\n\r\n"
#define LAST(url) "GET " url " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* Sends more headers than the server reads. */
static void send_headers(void)
{
    int fd = dial();

    printf("endless headers:\n");
    send_text(fd, "GET /hello HTTP/1.1\r\n");
    for (int i = 0; i < 400; i++)
        send_text(fd, "X-Header: xxxxxxxxxxxxxxxxxx\r\n");
    (void)shutdown(fd, SHUT_WR);
    /* Unread input may reset the connection before the answer arrives. */
    while (moat_read(fd, (char[64]){0}, 64, NEVER) > 0)
        ;
    printf("  hung up\n");
    (void)moat_close(fd);
}

void be_clients(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int slow;

    check(getsockname(listener, (struct sockaddr *)&address, &length) == 0,
          "getsockname");
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    slow = dial();
    send_text(slow, "GET /hel"); /* the others do not wait for it */
    ask("one request", LAST("/hello"));
    ask("pipelined", GET("/hello") GET("/nothing") LAST("/hello"));
    ask("bad handlers",
        GET("/null") GET("/overflow") GET("/loop") GET("/eat") LAST("/hello"));
    ask("a body", "POST /bytes HTTP/1.1\r\nConnection: close\r\n"
                  "Content-Length: 4\r\n\r\nbody");
    ask("not HTTP", "hello\r\n\r\n");
    send_headers();
    printf("the slow one:\n");
    send_text(slow, "lo HTTP/1.0\r\n\r\n");
    print_answers(slow);
    (void)moat_close(slow);
}
