/*
 * unwinder.h: another unwinder, as a group of registered code sees it: what a
 * group must hold for it, and how it is told: unwinder_libgcc.c, and
 * unwinder_libunwind.c in a build with libunwind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_UNWINDER_H
#define MOAT_PUBLISH_UNWINDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/cfi_form.h"

/* Code that one FDE describes. */
struct moat_piece {
    uintptr_t begin, end;
    void *rules; /* the CIE, the FDE, the terminator; for free()       */
    struct moat_fde *fde; /* in the rules; NULL: the piece is removed  */
};

/* The most pieces of a group. */
#define MOAT_GROUP_PIECES ((size_t)128)

struct moat_unwinder {
    size_t bytes; /* of its memory in a group */

    /* moat's walks read its records, and not under its lock: they are stopped
     * while it adds or removes one. It must not wait then. */
    bool read_by_walks;

    /* Prepares a group's memory, once. False: none is left for what lies
     * outside of it. May be NULL. */
    bool (*prepare)(void *memory);

    /* The pieces ascend, and there is at least one. They and the memory stay
     * until the withdrawal. */
    void (*publish)(void *memory, const struct moat_piece *pieces,
                    size_t count);
    void (*withdraw)(void *memory);

    /* Some code is gone: drops what the unwinder has cached. May be NULL. */
    void (*forget)(void);
};

extern const struct moat_unwinder moat_unwinder_libgcc, moat_unwinder_libunwind;

#endif
