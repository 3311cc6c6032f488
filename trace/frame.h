/*
 * frame.h: what a frame is called.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_FRAME_H
#define MOAT_TRACE_FRAME_H

#include <moat/backtrace.h>

#include "unwind/symbolise.h"

/* Returns the address by which a frame is looked up: a return address may be
 * the first byte of the next line or function. */
static inline uintptr_t moat_frame_lookup_pc(uintptr_t pc, unsigned flags)
{
    return flags & MOAT_FRAME_TRAP ? pc : pc - 1;
}

/* Returns which names the caller can look up now: it depends on the stack that
 * is left, and on the locks that dead guests may have left held. */
enum moat_names moat_names_possible(void);

/* Return what may be missing then, unless all names are possible, and why.
 * Static. */
const char *moat_names_missing(enum moat_names names);
const char *moat_names_obstacle(void);

/* Finds the function, the source location and what is inlined there. `names`
 * are possible. */
void moat_frame_symbolise(const moat_frame *frame, enum moat_names names,
                          struct moat_symbol *out);

/* Writes the line of moat_frame_describe; the symbol is scratch. */
void moat_frame_write_line(const moat_frame *frame, enum moat_names names,
                           struct moat_symbol *symbol, char *buffer,
                           size_t size);

#endif
