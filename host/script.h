/*
 * script.h: runs one script, from its file to its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SCRIPT_H
#define HOST_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/trap.h>
#include <moat/usage.h>

#include "options.h"

/* X(name, text). */
/* clang-format off */
#define VERDICT_MAP(X)                                                         \
    X(VERDICT_OK,             "ok")                                            \
    X(VERDICT_ERROR,          "error")                                         \
    X(VERDICT_MEMORY_LIMIT,   "memory limit")                                  \
    X(VERDICT_TIME_LIMIT,     "time limit")                                    \
    X(VERDICT_STACK_OVERFLOW, "stack overflow")                                \
    X(VERDICT_FAULT,          "fault")                                         \
    X(VERDICT_LOAD_ERROR,     "load error")                                    \
    X(VERDICT_NOT_RUN,        "not run")                                       \
    X(VERDICT_INTERRUPTED,    "interrupted")
/* clang-format on */

enum verdict {
#define VERDICT_ENUM(name, text) name,
    VERDICT_MAP(VERDICT_ENUM)
#undef VERDICT_ENUM
        VERDICT_COUNT
};

/* The result of a script. It refers to nothing of the guest. */
struct result {
    const char *file;
    size_t number; /* of the file among the arguments, from 1 */
    enum verdict verdict;
    moat_trap_kind kind; /* MOAT_TRAP_NONE unless it was trapped       */
    moat_limit limit;    /* that has passed; MOAT_LIMIT_NONE: none     */
    uint64_t limit_ns;
    char *message; /* of an error, with its traceback; else NULL */
    size_t message_bytes;
    uint64_t wall_ns;
    uint64_t cpu_ns;
    size_t memory_peak;
    size_t stack_used;
    moat_usage usage; /* struct_size 0: not counted */
    unsigned run;     /* of this script, from 1; 0: no restarts */
    bool again;       /* it is started again, after restart_in_ns */
    bool given_up;    /* it is not, since that was too often      */
    uint64_t restart_in_ns;
    struct result *next; /* in the order in which they ended */
    char *output;
    size_t output_bytes;
    size_t output_dropped;
    char *report; /* of a trap, for people; with --json: as JSON     */
    char *core;   /* of a trap: the core file's path; NULL: none     */
    const char *core_error; /* why it could not be written; NULL: it was */
};

/* Returns an empty result of the script files[index], or NULL without memory.
 * Any thread may free it. */
struct result *result_new(const struct run_options *options, size_t index);
void result_free(struct result *result);

/* Returns about how much memory a result takes. */
size_t result_bytes(const struct result *result);

/* Runs the script on the calling thread, as that thread's guest. Every failure
 * is a verdict. */
struct guest;
void script_run(struct guest *guest, struct result *result);

/* The same in steps. Both return whether the script goes on; if it does not,
 * the result is complete and the guest may begin another script. script_step
 * runs it to the end of its slice. */
bool script_begin(struct guest *guest, struct result *result);
bool script_step(struct guest *guest, struct result *result);

/* Returns "ok", "memory limit" and so on; for a fault, the text of its trap:
 * "null pointer access". */
const char *verdict_text(const struct result *result);

#endif
