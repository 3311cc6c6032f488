/*
 * streams.c: standard streams that exist, and output that is complete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "usage.h"

/* The direction is the wrong one. So reading or writing a stream that the
 * caller has closed fails with EBADF, as it does in any other program. */
static bool open_missing(int stream)
{
    static const int direction[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF)
        return true;
    /* The lowest free number is returned, and those below are in use. */
    return open("/dev/null", direction[stream] | O_NOCTTY) == stream;
}

bool streams_open(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (!open_missing(stream))
            return complain(NULL,
                            "descriptor %d is closed, and /dev/null cannot "
                            "stand in for it: %s",
                            stream, strerror(errno));
    return true;
}

static bool refuse(const char *command, const char *why)
{
    return complain(command, "standard output: %s", why);
}

bool streams_flush(const char *command)
{
    /* The C library does not keep the reason of an earlier failure. */
    const char *why = ferror(stdout) != 0 ? "a write failed" : NULL;

    if (fflush(stdout) != 0)
        why = strerror(errno);
    return why == NULL || refuse(command, why);
}

int streams_close(const char *command, int exit_status)
{
    if (!streams_flush(command))
        return EXIT_NO_OUTPUT;
    if (fclose(stdout) == 0)
        return exit_status;
    (void)refuse(command, strerror(errno));
    return EXIT_NO_OUTPUT;
}
