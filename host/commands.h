/*
 * commands.h: the larger subcommands of moat.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

/* Each returns the exit status. argv[0] is the command's name. */
int command_run(int argc, char **argv);
int command_doctor(int argc, char **argv);

#endif
