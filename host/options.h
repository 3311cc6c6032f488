/*
 * options.h: the options of `moat run`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "syscalls.h"

#define MODULES_MAX 64

/* A C module that scripts may require. */
struct module {
    const char *name;
    const char *path;
    void (*entry)(void); /* the language's open_module sets it */
};

struct guest_language;

/* When a script that has ended is started again. */
enum restart_when { RESTART_NEVER, RESTART_ON_FAILURE, RESTART_ALWAYS };

/* --restart and what belongs to it. */
struct restart_options {
    enum restart_when when;
    uint64_t max; /* restarts of a script within `period_ns` */
    uint64_t period_ns;
    uint64_t delay_ns; /* before the first restart in a row       */
    uint64_t delay_max_ns;
    bool closed;       /* one that has used them up ends them all */
    const char *given; /* an option that needs --restart; NULL: none */
};

struct run_options {
    const struct guest_language *language;
    uint64_t stack_bytes;
    uint64_t memory_bytes;
    uint64_t output_bytes;
    uint64_t cpu_ns;   /* 0: no limit */
    uint64_t wall_ns;  /* 0: no limit */
    uint64_t slice_ns; /* 0: each script runs to its end */
    uint64_t at_once;  /* with slices: scripts of a thread that take turns */
    uint64_t jobs;
    bool json;
    bool raw;
    bool quiet;
    bool stack_use; /* measure how much of its stack each script touches */
    bool no_progress;
    const char *read_dir; /* NULL: scripts read no files */
    int read_fd;          /* that directory, opened; -1: none */
    const char *metrics;  /* the file for them; NULL: none */
    struct restart_options restart;
    struct syscalls syscalls;
    const char *core_dir; /* NULL: traps write no core files */
    int core_fd;          /* that directory, opened; -1: none */
    struct module modules[MODULES_MAX];
    size_t module_count;
    char **files;
    size_t file_count;
};

enum options_result {
    OPTIONS_RUN,  /* complete                            */
    OPTIONS_HELP, /* --help was given                    */
    OPTIONS_BAD   /* an error message has been written   */
};

/* Parses the arguments of `moat run`, skipping argv[0]. */
enum options_result options_parse(struct run_options *options, int argc,
                                  char **argv);

/* Opens the directories and C modules that the options name, and checks that
 * the files are readable. Returns false after error messages. */
bool options_open(struct run_options *options);

#endif
