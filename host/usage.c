/*
 * usage.c: help texts and error messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "usage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"

static const char general[] =
    "usage: moat COMMAND [ARGUMENT]...\n"
    "\n"
    "Hosts untrusted Lua scripts, each in a guarded coroutine of its own. If\n"
    "a script overflows its stack, faults, loops or exhausts its memory, it\n"
    "ends with a report, and the other scripts continue.\n"
    "\n"
    "  run FILE...   run scripts and report the result of each\n"
    "  doctor        show what this machine supports, and test it\n"
    "  version       show the versions\n"
    "  help COMMAND  explain a command; so does moat COMMAND --help\n";

static const char run[] =
    "usage: moat run [OPTION]... FILE...\n"
    "\n"
    "Runs each Lua script FILE in an interpreter of its own. Prints the\n"
    "script's output, then its verdict: ok, error, load error, memory limit,\n"
    "time limit, stack overflow, or the kind of its fault. Each line of the\n"
    "output begins with '| ', after the script's name if there are several;\n"
    "control characters are written as \\x1b. A line that begins with a name\n"
    "and ': ' is a verdict, whatever scripts print.\n"
    "\n"
    "Limits of each script (0 where allowed: no limit):\n"
    "  --stack SIZE        C stack, 16K to 1G (256K)\n"
    "  --cpu TIME          CPU time, 1ms to 86400s, or 0 (10s)\n"
    "  --wall TIME         elapsed time, 1ms to 86400s, or 0 (60s)\n"
    "  --memory SIZE       Lua's memory, 128K to 64G (64M)\n"
    "  --output SIZE       output, 4K to 1G; the rest is dropped (1M)\n"
    "SIZE is a number of bytes, or one followed by K, M or G; TIME is a\n"
    "number followed by ns, us, ms or s.\n"
    "\n"
    "What scripts may use:\n"
    "  --module NAME=PATH  require \"NAME\" opens the C module PATH; "
    "repeatable\n"
    "  --read DIR          io.open and io.lines read files below DIR\n"
    "  --syscalls POLICY   system calls of C modules: all (the default), "
    "none,\n"
    "                      or words joined by commas: names of calls, memory\n"
    "                      (brk, mmap, munmap, mremap, madvise, mprotect) and\n"
    "                      read-only (files are opened to be read, read and\n"
    "                      closed); without memory its calls fail; any other\n"
    "                      call ends the script as a fault\n"
    "Scripts can always require Lua modules in their own folder.\n"
    "\n"
    "Running and output:\n"
    "  --jobs N            N threads, 1 to 256 (1); the output is in the\n"
    "                      order of the files\n"
    "  --slice TIME        scripts of a thread take turns of so much CPU "
    "time,\n"
    "                      20us to 1s, or 0 (0: one after the other)\n"
    "  --at-once N         with --slice: so many of them, 1 to 10000 (256)\n"
    "  --json              one JSON object per script on one line\n"
    "  --raw               script output as it is, without marks, and all "
    "else\n"
    "                      on standard error; not on a terminal\n"
    "  --stack-use         also report how much of its C stack each script\n"
    "                      touched, which costs some time\n"
    "  --quiet             no script output, no progress line; keeps\n"
    "                      verdicts, messages, reports of traps, and all of\n"
    "                      --json\n"
    "  --metrics FILE      what each script and all have used, as text for\n"
    "                      Prometheus; written at the end, and before it\n"
    "                      about once a second\n"
    "  --core-dir DIR      a core file in DIR for each trapped script; DIR\n"
    "                      must be yours and writable by no other user\n"
    "  --no-progress       no progress line on the terminal\n"
    "  --help              this text\n"
    "\n"
    "Starting scripts again; results are in the order in which runs end:\n"
    "  --restart WHEN      never, on-failure or always (never)\n"
    "  --restart-max N     at most N times within the period, 1 to 1000 (3)\n"
    "  --restart-period TIME\n"
    "                      1ms to 86400s (5s)\n"
    "  --restart-delay TIME\n"
    "                      before the first restart, 1ms to 86400s, or 0\n"
    "                      (100ms); twice as long before each further one,\n"
    "                      until a run has lasted for the period\n"
    "  --restart-delay-max TIME\n"
    "                      but no longer than this, 1ms to 86400s (30s)\n"
    "  --restart-fail HOW  after too many: open, the script stays down and "
    "the\n"
    "                      others go on, or closed, all end (open)\n"
    "\n"
    "Exit status: 0 all scripts succeeded, 1 a script failed, 2 nothing ran\n"
    "(wrong usage, unreadable input or no engine), 3 the results could not be\n"
    "written, 130 after Ctrl-C, 143 after SIGTERM.\n";

static const char doctor[] =
    "usage: moat doctor [--json]\n"
    "\n"
    "Shows what this machine supports: how stacks are guarded, how many fit\n"
    "and what limits them, and the features of the kernel. Then three guests\n"
    "overflow a stack, write to address 0 and loop for ever, to test that all\n"
    "three are contained.\n"
    "\n"
    "Exit status: 0 success, 1 a fault was not contained, 2 wrong usage, or\n"
    "the engine does not start, 3 the findings could not be written.\n";

static const char version[] =
    "usage: moat version\n"
    "\n"
    "Shows the versions of moat, Lua, jansson and the compiler.\n";

static const char help[] = "usage: moat help [COMMAND]\n"
                           "\n"
                           "Explains a command, or lists them.\n";

static const struct {
    const char *name;
    const char *text;
} texts[] = {
    {"run", run}, {"doctor", doctor}, {"version", version}, {"help", help}};

#define COMMANDS (sizeof(texts) / sizeof(texts[0]))

bool usage_write(FILE *out, const char *command)
{
    size_t i = 0;

    if (command == NULL)
        return fputs(general, out), true;
    while (i < COMMANDS && strcmp(texts[i].name, command) != 0)
        i++;
    if (i < COMMANDS)
        fputs(texts[i].text, out);
    return i < COMMANDS;
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
    complain(command, "'%s': takes no argument", argument);
    return usage_refuse(command);
}

/* Returns how many options start with the word of an argument. */
static size_t count_meant(const char *argument, const struct option *options)
{
    size_t count = 0;
    size_t length = strcspn(argument + 2, "=");

    for (; options->name != NULL; options++)
        count += strncmp(options->name, argument + 2, length) == 0;
    return count;
}

bool complain_of_option(const char *command, int key, char **argv,
                        const struct option *options)
{
    const char *argument = argv[optind - 1];

    if (key == ':')
        return complain(command, "option '%s' requires an argument", argument);
    if (optopt >= OPTION_FIRST)
        return complain(command, "option '%s' doesn't allow an argument",
                        argument);
    if (optopt != 0)
        return complain(command, "unrecognized option '-%c'", optopt);
    if (count_meant(argument, options) > 1)
        return complain(command, "option '%s' is ambiguous", argument);
    return complain(command, "unrecognized option '%s'", argument);
}

/* Returns the message, or what is known of it without memory. */
static const char *compose(char **made, const char *format, va_list arguments)
{
    if (vasprintf(made, format, arguments) >= 0)
        return *made;
    *made = NULL;
    return format;
}

const char *explain_status(moat_status status)
{
    int error = errno;
    const char *reason = NULL;

    if (status == MOAT_E_SYSTEM && error != 0)
        reason = strerrordesc_np(error);
    return reason != NULL ? reason : moat_status_str(status);
}

bool complain(const char *command, const char *format, ...)
{
    const char *message;
    va_list arguments;
    char *made;

    va_start(arguments, format);
    message = compose(&made, format, arguments);
    va_end(arguments);
    fprintf(stderr, "moat: %s%s", command != NULL ? command : "",
            command != NULL ? ": " : "");
    escape_write(stderr, message, strlen(message));
    fputc('\n', stderr);
    free(made);
    return false;
}
