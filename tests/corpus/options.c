/*
 * options.c: reads the command line and prints the help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: corpus [OPTION]... CASE[:CLASS]...\n"
    "\n"
    "Runs third-party code that faults in coroutines, again and again, and "
    "checks\n"
    "that the host stays sound. A CASE is a shared object (a name that ends "
    "in\n"
    "\".so\") with the functions of tests/corpus/hcase.h, or a program made of "
    "such\n"
    "an object file, tests/corpus/main.c and libcorpus.so. Prints a table.\n"
    "\n"
    "CLASS is the expected result of each repetition: stack-overflow, "
    "wild/null,\n"
    "abort, deadline, exit, sigfpe, sigill, exception, returned or error. "
    "Without\n"
    "it, any result is right, and only the host's soundness counts.\n"
    "\n"
    "  --stack SIZE       usable bytes of stack; K, M: 1024, 1048576   [64K]\n"
    "  --guard SIZE       inaccessible bytes below it                  [16M]\n"
    "  --deadline MS      CPU milliseconds per repetition, and forty times as "
    "many\n"
    "                     of wall-clock time. If a case's first repetition\n"
    "                     exceeds it, the others get a 25th of it      [500]\n"
    "  --repetitions N    of each case                                 [1000]\n"
    "  --phases N         positions in 8 KiB for the first frame       [64]\n"
    "  --hang SECONDS     a worker without progress for so long, and 48 "
    "deadlines,\n"
    "                     hangs                                        [20]\n"
    "  --verbose          show the guests' output, and reports of wrong "
    "results\n"
    "  --help\n"
    "\n"
    "Exit status: 0 all cases hold, 1 some do not, 2 wrong usage.\n";

/* Parses a whole number from 1 to `most`, followed by K or M if `units`.
 * Returns 0 if it is not one. */
static size_t read_number(const char *text, size_t most, bool units)
{
    unsigned long long value;
    unsigned shift = 0;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return 0;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (units && (*end == 'K' || *end == 'M'))
        shift = *end++ == 'K' ? 10 : 20;
    if (errno != 0 || *end != '\0' || value > most >> shift)
        return 0;
    return (size_t)value << shift;
}

static bool read_value(struct options *options, int option, const char *text)
{
    switch (option) {
    case 's':
        options->stack_bytes = read_number(text, (size_t)1 << 36, true);
        return options->stack_bytes != 0;
    case 'g':
        options->guard_bytes = read_number(text, (size_t)1 << 36, true);
        return options->guard_bytes != 0;
    case 'd':
        options->deadline_ms = (unsigned)read_number(text, 3600000, false);
        return options->deadline_ms != 0;
    case 'w':
        options->hang_seconds = (unsigned)read_number(text, 86400, false);
        return options->hang_seconds != 0;
    case 'r':
        options->repetitions = (unsigned)read_number(text, 100000000, false);
        return options->repetitions != 0;
    default:
        options->phases = (unsigned)read_number(text, 512, false);
        return options->phases != 0;
    }
}

enum reading options_read(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"stack", required_argument, NULL, 's'},
        {"guard", required_argument, NULL, 'g'},
        {"deadline", required_argument, NULL, 'd'},
        {"repetitions", required_argument, NULL, 'r'},
        {"phases", required_argument, NULL, 'p'},
        {"hang", required_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, index = 0;

    *options = (struct options){
        (size_t)64 << 10, (size_t)16 << 20, 500, 20, 1000, 64, false, NULL, 0};
    while ((option = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return READING_HELP;
        }
        if (option == '?')
            return READING_WRONG;
        if (option == 'v') {
            options->verbose = true;
        } else if (!read_value(options, option, optarg)) {
            (void)fprintf(stderr, "corpus: --%s: '%s' is out of range\n",
                          names[index].name, optarg);
            return READING_WRONG;
        }
    }
    options->cases = argv + optind;
    options->case_count = argc - optind;
    if (options->case_count == 0)
        (void)fprintf(stderr, "corpus: no case; see --help\n");
    return options->case_count == 0 ? READING_WRONG : READING_RUN;
}

/* Returns the colon before the class, or NULL. */
static const char *class_in(const char *word)
{
    const char *colon = strrchr(word, ':');

    if (colon != NULL && verdict_of_class(colon + 1) == VERDICTS &&
        strchr(colon, '/') != NULL)
        return NULL; /* a path with a colon in it */
    return colon;
}

bool options_read_case(const char *word, struct job *job)
{
    const char *colon = class_in(word);
    char path[PATH_MAX];
    size_t length = colon != NULL ? (size_t)(colon - word) : strlen(word);

    if (length == 0 || length >= sizeof(job->path)) {
        (void)fprintf(stderr, "corpus: not the path of a case: '%s'\n", word);
        return false;
    }
    memcpy(path, word, length);
    path[length] = '\0';
    /* dlopen would search for a name without a slash. */
    if (realpath(path, job->path) == NULL)
        memcpy(job->path, path, length + 1);
    job->expected = colon != NULL ? verdict_of_class(colon + 1) : VERDICTS;
    if (colon != NULL && job->expected == VERDICTS) {
        (void)fprintf(stderr, "corpus: no such class: '%s'\n", colon + 1);
        return false;
    }
    return true;
}
