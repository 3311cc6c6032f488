/*
 * cfi_form.h: moat's own form of unwind rules.
 *
 * The CIEs, then the FDEs, ascending by address, then a terminator; each begins
 * at a multiple of eight, and all addresses are absolute. So the bytes mean the
 * same wherever they are copied to, and addresses are at fixed offsets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_CFI_FORM_H
#define MOAT_UNWIND_CFI_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

#include "unwind/reader.h"

/* --- to be written ------------------------------------------------------- */

struct moat_cfi_cie {
    uintptr_t read_at; /* its offset in what it was read from           */
    size_t written_at; /* in what it is written to; filled in           */
    bool augmented;    /* its FDEs have augmentation data               */
    bool interrupted;  /* its frames are those of signal handlers       */
    bool has_personality;
    unsigned char code_encoding, lsda_encoding; /* its FDEs are read by */
    uint64_t personality;
    uint64_t code_unit;
    int64_t data_unit;
    struct moat_span instructions;
};

struct moat_cfi_fde {
    size_t cie; /* its number */
    uint64_t begin, size, lsda;
    struct moat_span instructions;
};

struct moat_cfi_rules {
    struct moat_cfi_cie *cies;
    struct moat_cfi_fde *fdes;
    size_t cie_count, fde_count;
};

struct moat_cfi {
    void *bytes; /* NULL: none; else for free() */
    size_t size;
};

/* MOAT_E_INVAL: they are too long; MOAT_E_NOMEM. */
moat_status moat_cfi_write(const struct moat_cfi_rules *rules,
                           struct moat_cfi *out);

/* --- written ------------------------------------------------------------- */

/* An FDE in moat's form, up to where the form varies. */
struct moat_fde {
    uint32_t length; /* of what follows; 0: the terminator            */
    uint32_t to_cie; /* 0: a CIE, which has nothing of what follows   */
    uint64_t begin, size;
};

/* Return the first FDE, and the one after another; NULL: there is none. */
const struct moat_fde *moat_cfi_first(const void *bytes);
const struct moat_fde *moat_cfi_next(const struct moat_fde *fde);

#endif
