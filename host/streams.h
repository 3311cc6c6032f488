/*
 * streams.h: the standard streams of the command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_STREAMS_H
#define HOST_STREAMS_H

#include <stdbool.h>

/*
 * Makes sure that the descriptors 0, 1 and 2 exist, before anything else is
 * opened: otherwise a pipe of the command could get number 1, and what a script
 * prints would be read as the command's own data. One that is missing is opened
 * so that its use fails. From here on a broken pipe and a file that is too
 * large are failed writes rather than signals. Returns false after an error
 * message.
 */
bool streams_open(void);

/* Writes what is buffered for standard output. Returns false, after an error
 * message of `command`, if something could not be written, now or before. */
bool streams_flush(const char *command);

/* Does the same at the end of the command, and closes standard output. Returns
 * its exit status: `exit_status`, or EXIT_NO_OUTPUT. */
int streams_close(const char *command, int exit_status);

#endif
