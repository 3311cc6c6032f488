/*
 * settings.c: the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define SECOND UINT64_C(1000000000)
/* Seconds. Less than two looks of the reaper would be no limit. */
#define MIN_TIME 0.2
#define MAX_TIME 86400.0

static const char usage[] =
    "usage: http_server [OPTION]... PORT\n"
    "\n"
    "  PORT                 0: any free one; the first line of the output has "
    "it\n"
    "  --address HOST       listen at this address (default: all)\n"
    "  --descriptor N       listen at this socket instead; no PORT\n"
    "  --scripts DIR        DIR/NAME.lua answers requests for /lua/NAME\n"
    "  --reports DIR        write the report of each handler that fails to "
    "DIR/ID.txt\n"
    "  --max-header BYTES   of a request line with its fields (8192)\n"
    "  --max-body BYTES     (65536)\n"
    "  --max-connections N  more wait until one is closed (10000)\n"
    "  --header-time S      seconds for the head of a request (10)\n"
    "  --body-time S        for its body (30)\n"
    "  --idle-time S        between two requests (60)\n"
    "  --answer-time S      for its handler (60)\n"
    "  --write-time S       for a client to take an answer (30)\n"
    "  --grace-time S       for requests in progress after SIGTERM or SIGINT "
    "(10)\n";

static const struct option options[] = {
    {"address", required_argument, NULL, 'a'},
    {"descriptor", required_argument, NULL, 'd'},
    {"scripts", required_argument, NULL, 's'},
    {"reports", required_argument, NULL, 'r'},
    {"max-header", required_argument, NULL, 'H'},
    {"max-body", required_argument, NULL, 'B'},
    {"max-connections", required_argument, NULL, 'C'},
    {"header-time", required_argument, NULL, 'h'},
    {"body-time", required_argument, NULL, 'b'},
    {"idle-time", required_argument, NULL, 'i'},
    {"answer-time", required_argument, NULL, 'n'},
    {"write-time", required_argument, NULL, 'w'},
    {"grace-time", required_argument, NULL, 'g'},
    {"help", no_argument, NULL, '?' + 128},
    {NULL, 0, NULL, 0}};

static void refuse(void)
{
    fputs(usage, stderr);
    exit(2);
}

static const char *name_of(int key)
{
    for (const struct option *option = options; option->name != NULL; option++)
        if (option->val == key)
            return option->name;
    return "?";
}

static long read_number(int key, const char *text, long least, long most)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && number >= least &&
        number <= most)
        return number;
    fprintf(stderr, "http_server: --%s is %s: it must be %ld to %ld\n",
            name_of(key), text, least, most);
    exit(2);
}

static uint64_t read_time(int key, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end != text && *end == '\0' && seconds >= MIN_TIME &&
        seconds <= MAX_TIME)
        return (uint64_t)(seconds * (double)SECOND);
    fprintf(stderr, "http_server: --%s is %s: it must be %g to %g seconds\n",
            name_of(key), text, MIN_TIME, MAX_TIME);
    exit(2);
}

static const char time_keys[] = "hbinwg";

static bool read_time_option(struct settings *to, int key)
{
    uint64_t *times[] = {&to->header_time, &to->body_time,  &to->idle_time,
                         &to->answer_time, &to->write_time, &to->grace_time};
    const char *at = strchr(time_keys, key);

    if (at == NULL)
        return false;
    *times[at - time_keys] = read_time(key, optarg);
    return true;
}

static void read_option(struct settings *to, int key)
{
    switch (key) {
    case 'a':
        to->address = optarg;
        break;
    case 'd':
        to->descriptor = read_number(key, optarg, 0, INT_MAX);
        break;
    case 's':
        to->scripts = optarg;
        break;
    case 'r':
        to->reports = optarg;
        break;
    case 'H':
        to->max_header = read_number(key, optarg, 256, 1 << 20);
        break;
    case 'B':
        to->max_body = read_number(key, optarg, 0, 1 << 30);
        break;
    case 'C':
        to->max_connections = read_number(key, optarg, 1, 1 << 20);
        break;
    case '?' + 128:
        fputs(usage, stdout);
        exit(0);
    default:
        if (!read_time_option(to, key))
            refuse();
    }
}

void settings_read(struct settings *settings, int argc, char **argv)
{
    int key;

    *settings = (struct settings){.descriptor = -1,
                                  .max_header = 8192,
                                  .max_body = 65536,
                                  .max_connections = 10000,
                                  .header_time = 10 * SECOND,
                                  .body_time = 30 * SECOND,
                                  .idle_time = 60 * SECOND,
                                  .answer_time = 60 * SECOND,
                                  .write_time = 30 * SECOND,
                                  .grace_time = 10 * SECOND};
    while ((key = getopt_long(argc, argv, "", options, NULL)) >= 0)
        read_option(settings, key);
    if (argc - optind != (settings->descriptor < 0 ? 1 : 0))
        refuse();
    settings->port = argv[optind];
}
