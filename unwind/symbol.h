/*
 * symbol.h: what lies at an address: function, file, source location, and what
 * was inlined there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_SYMBOL_H
#define MOAT_UNWIND_SYMBOL_H

#include <stdint.h>

/* A source location. */
struct moat_location {
    char file[256]; /* "": not known */
    int line;
};

/* A function that was inlined, and where. */
struct moat_inlined {
    char function[192];
    struct moat_location call;
};

/* If there are more, the outermost are left out. */
#define MOAT_INLINED_MAX 8u

struct moat_symbol {
    char function[192];            /* "": not known                       */
    uintptr_t offset;              /* of pc in it                         */
    char module[192];              /* path of the file; "": not known     */
    uintptr_t module_offset;       /* of pc, as the file counts addresses */
    struct moat_location location; /* of pc; if inlined: in inlined[0]    */
    struct moat_inlined inlined[MOAT_INLINED_MAX]; /* innermost first */
    unsigned inlined_count;
};

#endif
