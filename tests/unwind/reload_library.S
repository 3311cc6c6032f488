/*
 * reload_library.S: reload_middle(fn) calls fn(). Two builds of it, ROOM apart,
 * differ in nothing but the size of its frame.
 *
 * SPDX-License-Identifier: MIT
 */
    .text
    .globl  reload_middle
    .type   reload_middle, @function
reload_middle:
    .cfi_startproc
    subq    $ROOM, %rsp
    .cfi_adjust_cfa_offset ROOM
    call    *%rdi
    addq    $ROOM, %rsp
    .cfi_adjust_cfa_offset -ROOM
    ret
    .cfi_endproc
    .size   reload_middle, . - reload_middle
    .section .note.GNU-stack, "", @progbits
