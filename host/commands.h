/*
 * commands.h: the subcommands of moat. Each returns the exit status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

#include <stdio.h>

/* Exit statuses. After a signal: 128 and its number. */
enum {
    EXIT_FINE = 0,
    EXIT_BAD_SCRIPT = 1, /* a script failed or was trapped            */
    EXIT_BAD_INPUT = 2   /* usage, files, or the machine: nothing ran */
};

/* argv[0] is the command's name. */
int command_run(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

/* The help texts: of moat as a whole (NULL), of one command. */
void usage_write(FILE *out, const char *command);

/* Wrong usage of a command (NULL: of moat as a whole): says where to read on,
 * and returns the exit status. The other one first says of an argument that the
 * command takes none. */
int usage_refuse(const char *command);
int usage_refuse_argument(const char *command, const char *argument);

#endif
