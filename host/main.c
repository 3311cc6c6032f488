/*
 * main.c: the command moat: selects the subcommand; `help` and `version`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <moat/version.h>

#include "commands.h"
#include "guest.h"
#include "streams.h"
#include "usage.h"

static int command_help(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : NULL;

    if (argc > 2) {
        complain("help", "'%s' is one argument too many", argv[2]);
        return usage_refuse(NULL);
    }
    if (command != NULL && strcmp(command, "--help") == 0)
        command = "help";
    if (usage_write(stdout, command))
        return EXIT_FINE;
    complain("help", "there is no command '%s'", command);
    return usage_refuse(NULL);
}

static int command_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage_write(stdout, "version");
        return EXIT_FINE;
    }
    if (argc > 1)
        return usage_refuse_argument("version", argv[1]);
    printf("moat %s (headers %s)\n%s\njansson %s\n", moat_version(),
           MOAT_VERSION_STRING, lua_language.version, JANSSON_VERSION);
#ifdef __clang__
    printf("compiled by clang %s\n", __clang_version__);
#else
    printf("compiled by gcc %s\n", __VERSION__);
#endif
    return EXIT_FINE;
}

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
    const struct command *command;

    if (!streams_open())
        return EXIT_BAD_INPUT;
    tzset(); /* reads the time zone now rather than on a script's small stack */
    if (argc < 2) {
        usage_write(stderr, NULL);
        return EXIT_BAD_INPUT;
    }
    command = find(argv[1]);
    if (command == NULL) {
        complain(NULL, "there is no command '%s'", argv[1]);
        return usage_refuse(NULL);
    }
    return streams_close(command->name, command->run(argc - 1, argv + 1));
}
