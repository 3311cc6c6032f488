/*
 * main.c: an HTTP server in which each request is a guest. Its handler, in C or
 * in Lua, has a stack, a heap and time of its own. One that overflows, follows
 * a bad pointer, loops or takes too much memory costs its client a 500 with the
 * number of a report, and the others nothing.
 *
 *     http_server [OPTION]... PORT    until SIGTERM or SIGINT
 *     http_server --help
 *
 * main.c        the program              exchange.h     what a handler sees
 * settings.c    the command line         guest.c        handlers as guests
 * server.c      clients that come        routes.c       which one answers
 * connection.c  a client                 handlers.c     those in C
 * reaper.c      clients that are slow    lua_handler.c  those in Lua
 * request.c     what it asks             scripts.c      their texts
 * reply.c       what it gets             lua_frames.c   their functions, in
 * output.c      on its way                              reports
 * heaps.c       memory of handlers       report.c       those that failed
 *
 * The parser is Debian's libhttp-parser.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>

#include <moat/sched.h>

#include "lua_handler.h"
#include "report.h"
#include "server.h"
#include "settings.h"

/* moat_signal_wait takes them. */
static void block_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
    struct settings settings;
    moat_status status;

    settings_read(&settings, argc, argv);
    if (settings.scripts != NULL)
        scripts_read(settings.scripts);
    reports_begin(settings.reports);
    block_signals();
    status = moat_sched_run(NULL, serve, &settings, NULL);
    scripts_free();
    if (status != MOAT_OK)
        fprintf(stderr, "http_server: %s\n", moat_status_str(status));
    return status == MOAT_OK ? 0 : 1;
}
