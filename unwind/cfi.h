/*
 * cfi.h: unwind rules in the form of a section .eh_frame (LSB Core 5.0, 10.6;
 * DWARF 4, 6.4): the caller's, which may be anything, and moat's.
 *
 * Moat's form: the CIEs, then the FDEs, ascending by address, then a
 * terminator; each begins at a multiple of eight, and all addresses are
 * absolute. So it means the same wherever it is copied to, and whoever reads it
 * finds the addresses at fixed places.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_CFI_H
#define MOAT_UNWIND_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/code.h>

/* --- cfi.c ---------------------------------------------------------------- */

struct moat_cfi {
    void *bytes; /* NULL: none; else for free() */
    size_t size;
};

/* The rules of the code, in moat's form: rewritten from its eh_frame, or made
 * for frame records and fixed frames. MOAT_E_INVAL, MOAT_E_NOMEM. */
moat_status moat_cfi_make(const moat_code *code, struct moat_cfi *out);

/* An FDE in moat's form, up to what it is free to hold. */
struct moat_fde {
    uint32_t length; /* of what follows; 0: the terminator         */
    uint32_t to_cie; /* 0: a CIE, which has nothing of what follows */
    uint64_t begin, size;
};

/* The first FDE, and the one behind another; NULL: there is none. */
const struct moat_fde *moat_cfi_first(const void *bytes);
const struct moat_fde *moat_cfi_next(const struct moat_fde *fde);

/* --- cfi_instructions.c ----------------------------------------------------
 */

/* Reads forward; once it has run out all it gives is 0. */
struct moat_cfi_reader {
    const unsigned char *at, *end;
    bool bad;
};

uint64_t moat_cfi_read(struct moat_cfi_reader *reader, size_t bytes);
uint64_t moat_cfi_uleb(struct moat_cfi_reader *reader);
int64_t moat_cfi_sleb(struct moat_cfi_reader *reader);

/* The next so many bytes, as a reader of their own. */
struct moat_cfi_reader moat_cfi_part(struct moat_cfi_reader *reader,
                                     uint64_t bytes);

/* May unwinders run them? They take what they read for a compiler's work: where
 * it is none they abort, or never come to an end. */
bool moat_cfi_are_instructions(struct moat_cfi_reader instructions);

#endif
