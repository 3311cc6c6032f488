/*
 * settings.h: what the command line says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_SETTINGS_H
#define EXAMPLES_HTTP_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

struct settings {
    const char *address; /* NULL: all */
    const char *port;
    const char *scripts; /* folder of Lua handlers; NULL: none         */
    const char *reports; /* folder of reports; NULL: lines are logged  */
    long descriptor;     /* a socket that listens already; -1: none    */
    long max_header;     /* bytes of a request line with its fields    */
    long max_body;       /* bytes                                      */
    long max_connections;
    /* Nanoseconds. */
    uint64_t header_time; /* for the head of a request                  */
    uint64_t body_time;   /* for its body                               */
    uint64_t idle_time;   /* between two requests                       */
    uint64_t answer_time; /* for its handler                            */
    uint64_t write_time;  /* for a client to take an answer             */
    uint64_t grace_time;  /* for requests in progress at the server's end */
};

/* Reads the command line. Exits with 2 if it is wrong. */
void settings_read(struct settings *settings, int argc, char **argv);

#endif
