/*
 * usage.c: the help texts, and the commands `help` and `version`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <lua.h>
#include <moat/version.h>

#include "commands.h"

static const char general[] =
    "usage: moat COMMAND [ARGUMENT]...\n"
    "\n"
    "Hosts untrusted Lua scripts, each in a guarded coroutine of its own. A\n"
    "script that overflows its stack, faults, loops or devours memory ends "
    "with\n"
    "a report; the others go on.\n"
    "\n"
    "  run FILE...   run scripts and tell what became of each\n"
    "  doctor        tell what this machine gives, and try it\n"
    "  version       tell the versions\n"
    "  help COMMAND  explain a command; so does moat COMMAND --help\n";

static const char run[] =
    "usage: moat run [OPTION]... FILE...\n"
    "\n"
    "Runs each Lua script FILE in an interpreter of its own. Prints what the\n"
    "script printed, then its verdict: ok, error, load error, memory limit,\n"
    "time limit, stack overflow, or the fault it made.\n"
    "\n"
    "Limits of each script; 0 is no limit where it says so:\n"
    "  --stack SIZE        C stack, 16K to 1G (256K)\n"
    "  --cpu TIME          CPU time, 1ms to 86400s, or 0 (10s)\n"
    "  --wall TIME         time on the clock, 1ms to 86400s, or 0 (60s)\n"
    "  --memory SIZE       Lua's memory, 64K to 64G (64M)\n"
    "  --output SIZE       what it may print, 4K to 1G; the rest is dropped "
    "(1M)\n"
    "SIZE is a number of bytes, or one followed by K, M or G; TIME is a "
    "number\n"
    "followed by ns, us, ms or s.\n"
    "\n"
    "What scripts may use:\n"
    "  --module NAME=PATH  require \"NAME\" opens the C module PATH; any "
    "number\n"
    "  --read DIR          io.open and io.lines read files below DIR\n"
    "Scripts may always require Lua modules that lie in their own folder.\n"
    "\n"
    "Ways of running:\n"
    "  --jobs N            N threads, 1 to 256 (1); the output's order is "
    "that\n"
    "                      of the files\n"
    "  --json              one JSON object per script on one line\n"
    "  --quiet             no script output, no progress line; verdicts, "
    "messages\n"
    "                      and reports of traps stay, and so does all of "
    "--json\n"
    "  --core-dir DIR      a core file in DIR of each script that is trapped; "
    "DIR\n"
    "                      is yours, and nobody else may write to it\n"
    "  --no-progress       no progress line on the terminal\n"
    "  --help              this text\n"
    "\n"
    "Exit status: 0 all scripts ended well, 1 one did not, 2 nothing ran: "
    "wrong\n"
    "usage, unreadable input or no engine, 130 after Ctrl-C, 143 after "
    "SIGTERM.\n";

static const char doctor[] =
    "usage: moat doctor [--json]\n"
    "\n"
    "Tells what moat gets from this machine: how stacks are guarded, how many\n"
    "fit and what bounds them, the kernel's services. Then three guests "
    "overflow\n"
    "a stack, write to address 0 and loop for ever, and it tells whether that "
    "was\n"
    "contained.\n"
    "\n"
    "Exit status: 0 all is well, 1 a fault was not contained as it should be,\n"
    "2 wrong usage, or the engine does not start.\n";

static const char version[] =
    "usage: moat version\n"
    "\n"
    "Tells the versions of moat, Lua, jansson and the "
    "compiler.\n";

static const char help[] = "usage: moat help [COMMAND]\n"
                           "\n"
                           "Explains a command, or lists them.\n";

static const struct {
    const char *name;
    const char *text;
} texts[] = {
    {"run", run}, {"doctor", doctor}, {"version", version}, {"help", help}};

static const char *text_of(const char *command)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(texts[i].name, command) == 0)
            return texts[i].text;
    return NULL;
}

void usage_write(FILE *out, const char *command)
{
    fputs(command == NULL ? general : text_of(command), out);
}

int usage_refuse(const char *command)
{
    if (command == NULL)
        fputs("Try 'moat help'.\n", stderr);
    else
        fprintf(stderr, "Try 'moat %s --help'.\n", command);
    return EXIT_BAD_INPUT;
}

int usage_refuse_argument(const char *command, const char *argument)
{
    fprintf(stderr, "moat: %s: '%s': takes no argument\n", command, argument);
    return usage_refuse(command);
}

int command_help(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : NULL;

    if (argc > 2) {
        fprintf(stderr, "moat: help: '%s' is one argument too many\n", argv[2]);
        return usage_refuse(NULL);
    }
    if (command != NULL && strcmp(command, "--help") == 0)
        command = "help";
    if (command != NULL && text_of(command) == NULL) {
        fprintf(stderr, "moat: help: there is no command '%s'\n", command);
        return usage_refuse(NULL);
    }
    usage_write(stdout, command);
    return EXIT_FINE;
}

int command_version(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        usage_write(stdout, "version");
        return EXIT_FINE;
    }
    if (argc > 1)
        return usage_refuse_argument("version", argv[1]);
    printf("moat %s (headers %s)\n%s\njansson %s\n", moat_version(),
           MOAT_VERSION_STRING, LUA_RELEASE, JANSSON_VERSION);
#ifdef __clang__
    printf("compiled by clang %s\n", __clang_version__);
#else
    printf("compiled by gcc %s\n", __VERSION__);
#endif
    return EXIT_FINE;
}
