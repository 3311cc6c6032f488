/*
 * debug.h: the table by which debuggers find coroutines. For authors of
 * debuggers' extensions only: <moat/moat.h> does not include it.
 *
 * A debugger that has no debug information, as of a stripped program, finds
 * the symbol moat_debug in the dynamic symbol table, in a live process or in a
 * core file. The table gives addresses and offsets by name; docs/debugging.md
 * lists the names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_DEBUG_H
#define MOAT_DEBUG_H

#include <stdint.h>

#include <moat/export.h>

/* The value of the entry "version". It changes when an entry goes away or gets
 * another meaning, not when one is added. */
#define MOAT_DEBUG_VERSION 1

struct moat_debug_entry {
    char name[24]; /* ends in a zero; "": the table's end */
    union {
        uint64_t number; /* a size, an offset, an enumerator */
        const void *address;
    } value;
};

#ifdef __cplusplus
extern "C" {
#endif
/** The first entry is "version". Nothing in the library reads the table. */
MOAT_API extern const struct moat_debug_entry moat_debug[];
#ifdef __cplusplus
}
#endif

#endif
