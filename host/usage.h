/*
 * usage.h: exit statuses, help texts and error messages of the command.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_USAGE_H
#define HOST_USAGE_H

#include <stdbool.h>
#include <stdio.h>

#include <getopt.h>

#include <moat/status.h>

/* Exit statuses. After a signal: 128 plus its number. */
enum {
    EXIT_FINE = 0,
    EXIT_BAD_SCRIPT = 1, /* a script failed or was trapped            */
    EXIT_BAD_INPUT = 2,  /* usage, files, or the machine: nothing ran */
    EXIT_NO_OUTPUT = 3   /* what has been found could not be written  */
};

/* Writes the help text of a command, or of moat as a whole for NULL. Returns
 * false if there is no such command. */
bool usage_write(FILE *out, const char *command);

/* Both report wrong usage of a command (NULL: of moat as a whole) on stderr,
 * point to the help text and return the exit status. The second one is for an
 * argument to a command that takes none. */
int usage_refuse(const char *command);
int usage_refuse_argument(const char *command, const char *argument);

/* The values of long options start here: getopt_long reports a wrong use of one
 * by its value, and that of a short option by its character. */
#define OPTION_FIRST 256

/* Reports what getopt_long has refused with `key`, '?' or ':', and returns
 * false. Its own messages, which write arguments as they are, are switched off
 * by ":" as its string of short options and opterr = 0. */
bool complain_of_option(const char *command, int key, char **argv,
                        const struct option *options);

/* Describes a moat_status, and for MOAT_E_SYSTEM what errno is. The text is
 * static. */
const char *explain_status(moat_status status);

/* Writes "moat: COMMAND: " (NULL: "moat: ") and the message to stderr as one
 * line, escaped. Returns false. */
bool complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
