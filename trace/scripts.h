/*
 * scripts.h: the frames of all scripts in a backtrace.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_SCRIPTS_H
#define MOAT_TRACE_SCRIPTS_H

#include <stdint.h>

#include "trace/backtrace.h"
#include "trace/frame.h"
#include "trace/script.h"

#define MOAT_SCRIPT_LINES_MAX ((size_t)2048)
#define MOAT_SCRIPT_WALKS_MAX ((size_t)32)

struct moat_scripts {
    struct moat_script_walk walks[MOAT_SCRIPT_WALKS_MAX];
    size_t walk_count;
    struct moat_script_line lines[MOAT_SCRIPT_LINES_MAX];
    size_t used;                           /* of these                       */
    uint16_t order[MOAT_SCRIPT_LINES_MAX]; /* lines by position              */
    size_t count;                          /* of these                       */
    struct moat_symbol symbol;             /* scratch: it is large           */
    enum moat_names names;                 /* those that are possible        */
    uint16_t loops[MOAT_ENDS_FRAMES];      /* scratch, for one walk          */
};

/* Reads the scripts of all coroutines in the backtrace; *out is zero. */
void moat_scripts_read(const struct moat_both_ends *ends,
                       struct moat_scripts *out);

/* Returns why frames of a coroutine's script are missing; NULL: none are. */
const char *moat_scripts_error(const struct moat_scripts *scripts,
                               const moat_co *co);

/* Returns the i-th line by position. */
static inline const struct moat_script_line *
moat_scripts_line(const struct moat_scripts *scripts, size_t i)
{
    return &scripts->lines[scripts->order[i]];
}

#endif
