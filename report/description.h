/*
 * description.h: all that is known about a trapped coroutine, from which the
 * text and the JSON report are made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_DESCRIPTION_H
#define MOAT_REPORT_DESCRIPTION_H

#include <moat/moat.h>

#include "report/output.h"
#include "trace/frame.h"
#include "trace/scripts.h"

/* Lies in a mapping of its own: it is large, and the heap may be unusable. */
struct moat_description {
    const moat_co *co;
    moat_trap_info info;
    const char *lock_function; /* NULL: none, or not known                   */
    struct moat_both_ends ends;
    struct moat_scripts scripts;
    enum moat_names names;     /* those that are possible                    */
    struct moat_symbol symbol; /* scratch: it is large                       */
    char line[1024];           /* scratch                                    */
    struct moat_text text;
    char buffer[(size_t)1 << 20]; /* more than a report: it is one write     */
};

/* Collects the trap record and all frames of a trapped coroutine, for the
 * caller of the frame with `from_sp`. An uninterruptible section is open until
 * moat_description_end, which writes what was put into `text` and frees all. */
moat_status moat_description_begin(const moat_co *co,
                                   const struct moat_outlet *outlet,
                                   uintptr_t from_sp,
                                   struct moat_description **out);
moat_status moat_description_end(struct moat_description *description);

#endif
