/*
 * eh_frame.h: unwind rules as a JIT compiler hands them over.
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
    size_t cie, fde;        /* where the last ones begin */
    size_t to_cie, begin;   /* and fields of the last FDE: its distance from the
                               CIE, the address of its code */
    unsigned char encoding; /* of addresses of code */
};

/* A CIE: at its function's first instruction the CFA is rsp + 8. */
void eh_cie(struct eh_frame *eh, unsigned char encoding);

/* An FDE of the last CIE, with instructions of DWARF's; the rules must lie
 * within reach if addresses are distances. */
void eh_fde(struct eh_frame *eh, const void *start, size_t size,
            const void *instructions, size_t count);

#endif
