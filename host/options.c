/*
 * options.c: the arguments of `moat run`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence.h"
#include "guest.h"
#include "metrics.h"
#include "quantity.h"
#include "source.h"
#include "usage.h"

#define KIB    ((uint64_t)1 << 10)
#define MIB    ((uint64_t)1 << 20)
#define GIB    ((uint64_t)1 << 30)
#define SECOND ((uint64_t)1000000000)

/* With slices, unless --at-once is given. */
#define AT_ONCE 256

enum option_key {
    KEY_STACK = OPTION_FIRST,
    KEY_CPU,
    KEY_WALL,
    KEY_MEMORY,
    KEY_OUTPUT,
    KEY_JOBS,
    KEY_SLICE,
    KEY_AT_ONCE,
    KEY_METRICS,
    KEY_RESTART,
    KEY_RESTART_MAX,
    KEY_RESTART_PERIOD,
    KEY_RESTART_DELAY,
    KEY_RESTART_DELAY_MAX,
    KEY_RESTART_FAIL,
    KEY_JSON,
    KEY_RAW,
    KEY_STACK_USE,
    KEY_MODULE,
    KEY_READ,
    KEY_SYSCALLS,
    KEY_CORE_DIR,
    KEY_QUIET,
    KEY_NO_PROGRESS,
    KEY_HELP
};

static const struct option long_options[] = {
    {"stack", required_argument, NULL, KEY_STACK},
    {"cpu", required_argument, NULL, KEY_CPU},
    {"wall", required_argument, NULL, KEY_WALL},
    {"memory", required_argument, NULL, KEY_MEMORY},
    {"output", required_argument, NULL, KEY_OUTPUT},
    {"jobs", required_argument, NULL, KEY_JOBS},
    {"slice", required_argument, NULL, KEY_SLICE},
    {"at-once", required_argument, NULL, KEY_AT_ONCE},
    {"metrics", required_argument, NULL, KEY_METRICS},
    {"restart", required_argument, NULL, KEY_RESTART},
    {"restart-max", required_argument, NULL, KEY_RESTART_MAX},
    {"restart-period", required_argument, NULL, KEY_RESTART_PERIOD},
    {"restart-delay", required_argument, NULL, KEY_RESTART_DELAY},
    {"restart-delay-max", required_argument, NULL, KEY_RESTART_DELAY_MAX},
    {"restart-fail", required_argument, NULL, KEY_RESTART_FAIL},
    {"json", no_argument, NULL, KEY_JSON},
    {"raw", no_argument, NULL, KEY_RAW},
    {"stack-use", no_argument, NULL, KEY_STACK_USE},
    {"module", required_argument, NULL, KEY_MODULE},
    {"read", required_argument, NULL, KEY_READ},
    {"syscalls", required_argument, NULL, KEY_SYSCALLS},
    {"core-dir", required_argument, NULL, KEY_CORE_DIR},
    {"quiet", no_argument, NULL, KEY_QUIET},
    {"no-progress", no_argument, NULL, KEY_NO_PROGRESS},
    {"help", no_argument, NULL, KEY_HELP},
    {NULL, 0, NULL, 0}};

/* clang-format off */
static const struct quantity stack_quantity = {
    "--stack", QUANTITY_SIZE, 16 * KIB, GIB, "16K", "1G", NULL};
static const struct quantity memory_quantity = {
    "--memory", QUANTITY_SIZE, 128 * KIB, 64 * GIB, "128K", "64G", NULL};
static const struct quantity output_quantity = {
    "--output", QUANTITY_SIZE, 4 * KIB, GIB, "4K", "1G", NULL};
static const struct quantity cpu_quantity = {
    "--cpu", QUANTITY_TIME, 1000000, 86400 * SECOND, "1ms", "86400s",
    "no limit"};
static const struct quantity wall_quantity = {
    "--wall", QUANTITY_TIME, 1000000, 86400 * SECOND, "1ms", "86400s",
    "no limit"};
static const struct quantity jobs_quantity = {
    "--jobs", QUANTITY_COUNT, 1, 256, "1", "256", NULL};
static const struct quantity slice_quantity = {
    "--slice", QUANTITY_TIME, 20000, SECOND, "20us", "1s", "no slices"};
static const struct quantity at_once_quantity = {
    "--at-once", QUANTITY_COUNT, 1, 10000, "1", "10000", NULL};
static const struct quantity restart_max_quantity = {
    "--restart-max", QUANTITY_COUNT, 1, 1000, "1", "1000", NULL};
static const struct quantity restart_period_quantity = {
    "--restart-period", QUANTITY_TIME, 1000000, 86400 * SECOND, "1ms",
    "86400s", NULL};
static const struct quantity restart_delay_quantity = {
    "--restart-delay", QUANTITY_TIME, 1000000, 86400 * SECOND, "1ms",
    "86400s", "at once"};
static const struct quantity restart_delay_max_quantity = {
    "--restart-delay-max", QUANTITY_TIME, 1000000, 86400 * SECOND, "1ms",
    "86400s", NULL};
/* clang-format on */

static bool is_module_name(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")] == '\0';
}

/* Splits NAME=PATH at its first "=". */
static bool add_module(struct run_options *options, char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || equals[1] == '\0')
        return complain("run", "--module: '%s' is not NAME=PATH", text);
    if (options->module_count == MODULES_MAX)
        return complain("run", "--module: '%s' is too many: at most %d", text,
                        MODULES_MAX);
    *equals = '\0';
    if (!is_module_name(text))
        return complain("run",
                        "--module: '%s' is not a module name: letters, "
                        "digits, '_' and '.'",
                        text);
    options->modules[options->module_count++] =
        (struct module){.name = text, .path = equals + 1};
    return true;
}

/* Takes one of the words, as its index; false after a message. */
static bool take_word(const char *option, const char *text,
                      const char *const *words, const char *list, int *out)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], text) == 0)
            return *out = i, true;
    return complain("run", "%s: '%s' is none of %s", option, text, list);
}

static bool take_restart(struct restart_options *restart, const char *text)
{
    static const char *const words[] = {"never", "on-failure", "always", NULL};
    int when = RESTART_NEVER;

    if (!take_word("--restart", text, words, "never, on-failure, always",
                   &when))
        return false;
    restart->when = (enum restart_when)when;
    return true;
}

static bool take_fail(struct restart_options *restart, const char *text)
{
    static const char *const words[] = {"open", "closed", NULL};
    int closed = 0;

    if (!take_word("--restart-fail", text, words, "open, closed", &closed))
        return false;
    restart->closed = closed != 0;
    return true;
}

/* The options that only go with a restart. */
static bool take_of_restart(struct restart_options *restart, int key,
                            char *text)
{
    switch (key) {
    case KEY_RESTART_MAX:
        restart->given = "--restart-max";
        return quantity_parse(&restart_max_quantity, text, &restart->max);
    case KEY_RESTART_PERIOD:
        restart->given = "--restart-period";
        return quantity_parse(&restart_period_quantity, text,
                              &restart->period_ns);
    case KEY_RESTART_DELAY:
        restart->given = "--restart-delay";
        return quantity_parse(&restart_delay_quantity, text,
                              &restart->delay_ns);
    case KEY_RESTART_DELAY_MAX:
        restart->given = "--restart-delay-max";
        return quantity_parse(&restart_delay_max_quantity, text,
                              &restart->delay_max_ns);
    default:
        restart->given = "--restart-fail";
        return take_fail(restart, text);
    }
}

static bool take_flag(struct run_options *options, int key)
{
    if (key == KEY_JSON)
        options->json = true;
    else if (key == KEY_RAW)
        options->raw = true;
    else if (key == KEY_STACK_USE)
        options->stack_use = true;
    else if (key == KEY_QUIET)
        options->quiet = true;
    else if (key == KEY_NO_PROGRESS)
        options->no_progress = true;
    else
        return false;
    return true;
}

static bool take(struct run_options *options, int key, char *text)
{
    switch (key) {
    case KEY_STACK:
        return quantity_parse(&stack_quantity, text, &options->stack_bytes);
    case KEY_MEMORY:
        return quantity_parse(&memory_quantity, text, &options->memory_bytes);
    case KEY_OUTPUT:
        return quantity_parse(&output_quantity, text, &options->output_bytes);
    case KEY_CPU:
        return quantity_parse(&cpu_quantity, text, &options->cpu_ns);
    case KEY_WALL:
        return quantity_parse(&wall_quantity, text, &options->wall_ns);
    case KEY_JOBS:
        return quantity_parse(&jobs_quantity, text, &options->jobs);
    case KEY_SLICE:
        return quantity_parse(&slice_quantity, text, &options->slice_ns);
    case KEY_AT_ONCE:
        return quantity_parse(&at_once_quantity, text, &options->at_once);
    case KEY_METRICS:
        options->metrics = text;
        return true;
    case KEY_RESTART:
        return take_restart(&options->restart, text);
    case KEY_RESTART_MAX:
    case KEY_RESTART_PERIOD:
    case KEY_RESTART_DELAY:
    case KEY_RESTART_DELAY_MAX:
    case KEY_RESTART_FAIL:
        return take_of_restart(&options->restart, key, text);
    case KEY_MODULE:
        return add_module(options, text);
    case KEY_READ:
        options->read_dir = text;
        return true;
    case KEY_SYSCALLS:
        return syscalls_parse(text, &options->syscalls);
    case KEY_CORE_DIR:
        options->core_dir = text;
        return true;
    default:
        return take_flag(options, key);
    }
}

static bool check_restart(const struct restart_options *restart)
{
    if (restart->when == RESTART_NEVER && restart->given != NULL)
        return complain("run", "%s: needs --restart on-failure or always",
                        restart->given);
    if (restart->delay_ns > restart->delay_max_ns)
        return complain("run", "--restart-delay: it is longer than "
                               "--restart-delay-max");
    return true;
}

static bool check_slices(const struct run_options *options)
{
    if (options->slice_ns == 0 && options->at_once != 0)
        return complain("run", "--at-once: needs --slice: without slices a "
                               "thread runs one script at a time");
    if (options->slice_ns != 0 && options->module_count != 0)
        return complain("run", "--slice, --module: only one of the two: a C "
                               "module whose slice ends in malloc would keep "
                               "its lock");
    return true;
}

/* Checks the options together. */
static bool check(const struct run_options *options)
{
    if (options->file_count == 0)
        return complain("run", "no FILE given");
    if (options->raw && options->json)
        return complain("run", "--raw, --json: only one of the two: a JSON "
                               "string has every byte of the output");
    if (options->raw && isatty(STDOUT_FILENO))
        return complain("run", "--raw: standard output is a terminal: bytes of "
                               "scripts go to files and pipes only");
    return check_restart(&options->restart) && check_slices(options);
}

enum options_result options_parse(struct run_options *options, int argc,
                                  char **argv)
{
    int key;

    *options = (struct run_options){.language = &lua_language,
                                    .stack_bytes = 256 * KIB,
                                    .memory_bytes = 64 * MIB,
                                    .output_bytes = MIB,
                                    .cpu_ns = 10 * SECOND,
                                    .wall_ns = 60 * SECOND,
                                    .jobs = 1,
                                    .restart = {.max = 3,
                                                .period_ns = 5 * SECOND,
                                                .delay_ns = SECOND / 10,
                                                .delay_max_ns = 30 * SECOND},
                                    .read_fd = -1,
                                    .core_fd = -1};
    opterr = 0;
    while ((key = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (key == KEY_HELP)
            return OPTIONS_HELP;
        if (key == '?' || key == ':')
            complain_of_option("run", key, argv, long_options);
        else if (take(options, key, optarg))
            continue;
        return OPTIONS_BAD;
    }
    options->files = argv + optind;
    options->file_count = (size_t)(argc - optind);
    if (!check(options))
        return OPTIONS_BAD;
    if (options->at_once == 0)
        options->at_once = options->slice_ns != 0 ? AT_ONCE : 1;
    return OPTIONS_RUN;
}

static bool refuse(const char *path, const char *why)
{
    return complain("run", "%s: %s", path, why);
}

static bool check_file(const char *path)
{
    struct stat status;

    if (strcmp(path, "-") == 0)
        return refuse(path, "scripts are files: standard input is not read "
                            "(./- is the file of that name)");
    if (stat(path, &status) != 0)
        return refuse(path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(path, source_refusal(status.st_mode));
    return access(path, R_OK) == 0 || refuse(path, strerror(errno));
}

bool options_open(struct run_options *options)
{
    bool all = true;

    for (size_t i = 0; i < options->file_count; i++)
        all &= check_file(options->files[i]);
    if (options->read_dir != NULL) {
        options->read_fd =
            open(options->read_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (options->read_fd < 0)
            all = refuse(options->read_dir, strerror(errno));
    }
    all &= evidence_open(options);
    all &= metrics_check(options->metrics);
    for (size_t i = 0; i < options->module_count; i++)
        all &= options->language->open_module(&options->modules[i]);
    return all;
}
