/*
 * asm.h: what every .S file needs: function frames, and the notes at its end.
 * LANDING, an instruction at which indirect branches may land, and the note
 * that claims such instructions are the CPU's (values.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_ASM_H
#define MOAT_ARCH_ASM_H

#include "arch/values.h"

/* The formatter takes assembler for C. */
/* clang-format off */

/* On cache lines: the out-of-line switch is 10 to 40 % slower where its jumps
 * happen to straddle them (bench/switch). */
#define FUNCTION(name)                                                         \
    .globl name;                                                               \
    .type name, @function;                                                     \
    .p2align 6;                                                                \
name:

#define END(name) .size name, . - name

#define END_OF_FILE                                                            \
    PROPERTY_NOTE;                                                             \
    .section .note.GNU-stack, "", @progbits

/* clang-format on */

#endif
