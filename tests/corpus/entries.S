/*
 * entries.S: the names of the functions that the runner replaces.
 *
 * Each jumps on, so that a function of that name is never on a guest's frames:
 * to moat one that is stands for the C library's lock, and here it holds none.
 * The jump goes through memory, for moat follows direct ones.
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

        entry   malloc
        entry   calloc
        entry   realloc
        entry   reallocarray
        entry   free
        entry   memalign
        entry   aligned_alloc
        entry   posix_memalign
        entry   valloc
        entry   pvalloc
        entry   exit
        entry   quick_exit

        .section .note.GNU-stack, "", @progbits
