/*
 * asm.h: what every .S file needs: function frames, landing pads, the note that
 * the stack is not executable.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_ASM_H
#define MOAT_ARCH_ASM_H

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

/*
 * An indirect branch may land here when indirect-branch tracking is on. The
 * property note below claims IBT only: shadow stacks (SHSTK) need work in each
 * switch that moat does not do, so claiming them would crash where they are
 * enforced.
 */
#if defined(__CET__) && (__CET__ & 1)
#define LANDING endbr64
#define PROPERTY_NOTE                                                          \
    .section .note.gnu.property, "a";                                          \
    .p2align 3;                                                                \
    .long 4, 16, 5;                                                            \
    .asciz "GNU";                                                              \
    .long 0xc0000002, 4, 1, 0
#else
#define LANDING
#define PROPERTY_NOTE
#endif

#define END_OF_FILE                                                            \
    PROPERTY_NOTE;                                                             \
    .section .note.GNU-stack, "", @progbits

/* clang-format on */

#endif
