/*
 * objects.h: the loaded file that a pc belongs to, and the unwind information
 * in it.
 *
 * Without a lock, as _dl_find_object takes none, and async-signal-safe. Between
 * two calls a file may be closed and another be mapped there, but not while its
 * code is on a stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_OBJECTS_H
#define MOAT_UNWIND_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/reader.h"

struct moat_object {
    uintptr_t start, end;     /* of its mapping                         */
    const unsigned char *hdr; /* .eh_frame_hdr                          */
    struct moat_span bytes;   /* the segment that the header lies in    */
    bool stays;               /* it is the program itself: never closed */
};

/* False: pc is in no file, or in one without .eh_frame_hdr. */
bool moat_object_find(uintptr_t pc, struct moat_object *out);

/* Returns the FDE that may cover pc; NULL: none does. */
const unsigned char *moat_object_fde(const struct moat_object *object,
                                     uintptr_t pc);

/* Computes a number other than 0 that identifies the file of pc, from its
 * address and its build ID. False: none is known. */
bool moat_object_identity(uintptr_t pc, uint64_t *out);

/* Finds the extent of the procedure that pc is in, by its unwind information,
 * which static and stripped programs have too. False: not known. */
bool moat_unwind_procedure(uintptr_t pc, uintptr_t *start, uintptr_t *end);

#endif
