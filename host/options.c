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
#include "quantity.h"
#include "source.h"
#include "usage.h"

#define KIB    ((uint64_t)1 << 10)
#define MIB    ((uint64_t)1 << 20)
#define GIB    ((uint64_t)1 << 30)
#define SECOND ((uint64_t)1000000000)

enum option_key {
    KEY_STACK = OPTION_FIRST,
    KEY_CPU,
    KEY_WALL,
    KEY_MEMORY,
    KEY_OUTPUT,
    KEY_JOBS,
    KEY_JSON,
    KEY_RAW,
    KEY_STACK_USE,
    KEY_MODULE,
    KEY_READ,
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
    {"json", no_argument, NULL, KEY_JSON},
    {"raw", no_argument, NULL, KEY_RAW},
    {"stack-use", no_argument, NULL, KEY_STACK_USE},
    {"module", required_argument, NULL, KEY_MODULE},
    {"read", required_argument, NULL, KEY_READ},
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
    case KEY_MODULE:
        return add_module(options, text);
    case KEY_READ:
        options->read_dir = text;
        return true;
    case KEY_CORE_DIR:
        options->core_dir = text;
        return true;
    default:
        return take_flag(options, key);
    }
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
    return true;
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
    return check(options) ? OPTIONS_RUN : OPTIONS_BAD;
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
    for (size_t i = 0; i < options->module_count; i++)
        all &= options->language->open_module(&options->modules[i]);
    return all;
}
