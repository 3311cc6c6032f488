/*
 * reload_library.S: NAME(fn) calls fn(). Two builds of it differ only in their
 * name and in the size of the frame, ROOM.
 *
 * SPDX-License-Identifier: MIT
 */
    .text
    .globl  NAME
    .type   NAME, @function
NAME:
    .cfi_startproc
    subq    $ROOM, %rsp
    .cfi_adjust_cfa_offset ROOM
    call    *%rdi
    addq    $ROOM, %rsp
    .cfi_adjust_cfa_offset -ROOM
    ret
    .cfi_endproc
    .size   NAME, . - NAME
    .section .note.GNU-stack, "", @progbits
