/*
 * perf_file.h: a file of this process for perf, if the environment asks for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_PERF_FILE_H
#define MOAT_PUBLISH_PERF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* The first two are set; all others are zero at first. */
struct moat_perf_file {
    const char *variable; /* of the environment                            */
    int (*open)(const char *value, pid_t process); /* -1: there is no file */
    char value[PATH_MAX]; /* a copy of the variable's; "": not set        */
    bool looked;    /* it was read                                          */
    pid_t process;  /* whose file it is; 0: none was opened yet             */
    int descriptor; /* -1: there is no file                                 */
};

/* Returns the descriptor of this process' file, opened if need be; -1: there is
 * none. The variable is read at the first call. Under moat_codes_lock. */
int moat_perf_file(struct moat_perf_file *file);

#endif
