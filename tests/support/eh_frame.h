/*
 * eh_frame.h: unwind rules in the form in which a JIT compiler registers them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_EH_FRAME_H
#define TESTS_SUPPORT_EH_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { EH_ABSPTR = 0x00, EH_PCREL_SDATA4 = 0x1b };

struct eh_frame {
    unsigned char bytes[4096];
    size_t used;
    size_t cie, fde;        /* offsets of the last CIE and FDE */
    size_t to_cie, begin;   /* fields of the last FDE: distance to its CIE,
                             * address of its code */
    unsigned char encoding; /* how addresses of code are encoded */
};

/* A CIE: at its function's first instruction the CFA is rsp + 8. */
void eh_cie(struct eh_frame *eh, unsigned char encoding);

/* Appends an FDE that refers to the last CIE, with the given DWARF
 * instructions. If addresses are encoded as distances, the code must be within
 * reach of the rules. */
void eh_fde(struct eh_frame *eh, const void *start, size_t size,
            const void *instructions, size_t count);

#endif
