/*
 * debug.h: the table by which debuggers find coroutines. For authors of
 * debuggers' extensions only: <moat/moat.h> does not include it.
 *
 * A debugger without debug information, as for a stripped program, finds the
 * symbol moat_debug in the dynamic symbol table of a live process or a core
 * file. The table lists addresses and offsets by name; docs/debugging.md has
 * the names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_DEBUG_H
#define MOAT_DEBUG_H

#include <stdint.h>

#include <moat/export.h>

/* The value of the entry "version". It changes when an entry is removed or
 * changes its meaning, not when one is added. */
#define MOAT_DEBUG_VERSION 1

struct moat_debug_entry {
    char name[24]; /* zero-terminated; "": the end of the table */
    union {
        uint64_t number; /* a size, an offset or an enumerator */
        const void *address;
    } value;
};

#ifdef __cplusplus
extern "C" {
#endif
/* The first entry is "version". The library itself does not read the table. */
MOAT_API extern const struct moat_debug_entry moat_debug[];
#ifdef __cplusplus
}
#endif

#endif
