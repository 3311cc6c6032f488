/*
 * main.c: an HTTP server whose requests are guests. A request is parsed and
 * answered in a coroutine, by a handler in C or in Lua, which has a stack, a
 * heap and time of its own. One that overflows, follows a bad pointer, loops or
 * takes too much memory costs its client a 500 with the number of a report, and
 * the others nothing.
 *
 *     http_server [OPTION]... PORT    until SIGTERM or SIGINT
 *     http_server --help
 *
 * main.c        the program             guest.c        coroutines that answer
 * settings.c    the command line        routes.c       which handler answers
 * server.c      clients that come       handlers.c     handlers in C
 * connection.c  waiting for a client    lua_handler.c  handlers in Lua
 * progress.c    between two waits       scripts.c      their texts
 * reaper.c      clients that are slow   lua_frames.c   their functions, in
 * exchange.c    a request and its                      reports
 *               reply                   heaps.c        memory of handlers
 * input.c       what has come           host_call.c    what a guest must not do
 * request.c     what it asks                           itself
 * reply.c       what is answered        report.c       guests that failed
 * output.c      what is sent
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
