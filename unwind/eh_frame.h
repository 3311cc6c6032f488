/*
 * eh_frame.h: entries of a section .eh_frame (LSB Core 5.0, 10.6), read from
 * bytes that may be anything.
 *
 * An FDE is the unwind information of one piece of code. It refers to a CIE,
 * which holds what many of them have in common. Each has a program of call
 * frame instructions; row.c runs them.
 *
 * What is read is checked against the bounds of `bytes`, the segment or the
 * copy that the entries lie in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_EH_FRAME_H
#define MOAT_UNWIND_EH_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind/reader.h"

struct moat_eh_cie {
    struct moat_reader program;
    struct moat_reader personality; /* begins with its address, if any        */
    uint64_t code_unit;
    int64_t data_unit;
    uint8_t pointer_encoding, lsda_encoding, personality_encoding;
    bool augmented, signal_frame;
};

struct moat_eh_fde {
    struct moat_eh_cie cie;
    struct moat_reader program;
    uintptr_t start; /* of the code */
    uint64_t bytes;
};

/* Reads a CIE from the field after its ID on. False: it is not understood. */
bool moat_eh_read_cie(struct moat_reader entry, struct moat_eh_cie *out);

/* Reads the FDE at `at` and its CIE. False: it is none, or not understood. */
bool moat_eh_read(const struct moat_span *bytes, const unsigned char *at,
                  struct moat_eh_fde *out);

/* Returns the entry after the one at `at`; NULL: that one is the last. */
const unsigned char *moat_eh_next(const struct moat_span *bytes,
                                  const unsigned char *at);

/* Reads a value of this DW_EH_PE_ format, without its base. */
uint64_t moat_eh_read_format(struct moat_reader *reader, unsigned encoding);

/* Reads a pointer: absolute or relative to its own address. */
uintptr_t moat_eh_read_pointer(struct moat_reader *reader, unsigned encoding);

/* Computes a number that identifies the bytes of the FDE at `at` and of its
 * CIE: others that were there before have another. False: there is no FDE. */
bool moat_eh_fingerprint(const struct moat_span *bytes, const unsigned char *at,
                         uint64_t *out);

#endif
