/*
 * entry.S: a macro for the name of a function that is replaced.
 *
 * It jumps on, so that a function of that name never appears in a guest's
 * frames: moat would take it for the C library's function, which holds a lock,
 * but here no lock is held. The jump goes through memory, because moat follows
 * direct jumps.
 *
 * SPDX-License-Identifier: MIT
 */
.macro entry name
        .text
        .globl  \name
        .type   \name, @function
\name:
        .cfi_startproc
        endbr64
        jmp     *.Lto_\name(%rip)
        .cfi_endproc
        .size   \name, . - \name
        .section .data.rel.ro, "aw", @progbits
        .balign 8
.Lto_\name:
        .quad   replaced_\name
.endm
