/*
 * main.c: the command moat: picks the subcommand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"run", command_run},
                {"doctor", command_doctor},
                {"version", command_version},
                {"help", command_help},
                {"--version", command_version},
                {"--help", command_help},
                {"-h", command_help}};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static char prefix[32]; /* getopt_long's messages begin with it */
    const struct command *command;

    tzset(); /* reads the time zone now, not on a script's small stack */
    if (argc < 2) {
        usage_write(stderr, NULL);
        return EXIT_BAD_INPUT;
    }
    command = find(argv[1]);
    if (command == NULL) {
        fprintf(stderr, "moat: there is no command '%s'\n", argv[1]);
        return usage_refuse(NULL);
    }
    snprintf(prefix, sizeof(prefix), "moat: %s", command->name);
    argv[1] = prefix;
    return command->run(argc - 1, argv + 1);
}
