/*
 * options.h: what `moat run` was asked to do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#define MODULES_MAX 64

/* A C module that scripts may require. */
struct module {
    const char *name;
    const char *path;
    lua_CFunction open; /* its luaopen_ function, once modules_open has run */
};

struct run_options {
    uint64_t stack_bytes;
    uint64_t memory_bytes;
    uint64_t output_bytes;
    uint64_t cpu_ns;  /* 0: no limit */
    uint64_t wall_ns; /* 0: no limit */
    uint64_t jobs;
    bool json;
    bool quiet;
    bool no_progress;
    const char *read_dir; /* NULL: scripts read no files */
    int read_fd;          /* that folder, opened; -1 if none */
    const char *core_dir; /* NULL: traps write no core files      */
    int core_fd;          /* that folder, opened; -1 if none      */
    struct module modules[MODULES_MAX];
    size_t module_count;
    char **files;
    size_t file_count;
};

enum options_result {
    OPTIONS_RUN,  /* complete                                    */
    OPTIONS_HELP, /* --help was given                            */
    OPTIONS_BAD   /* the reason has been written to stderr       */
};

/* Reads the arguments of `moat run`; argv[0] is skipped. */
enum options_result options_parse(struct run_options *options, int argc,
                                  char **argv);

/* Opens what the options name: the folder of --read and the C modules; checks
 * that the files can be read. Says on stderr what is missing. */
bool options_open(struct run_options *options);

#endif
