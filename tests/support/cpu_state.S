/*
 * cpu_state.S: cpu_watch calls a function and records the CPU's state before
 * and after the call.
 *
 * SPDX-License-Identifier: MIT
 */

/* Records the CPU's state in the struct cpu_state at \to. Uses no other
 * register, so nothing changes before it is recorded. fnstenv masks all
 * exceptions as a side effect; fldenv undoes that. */
.macro NOTE to
    pushfq
    popq    56(\to)
    movq    %rbx, 0(\to)
    movq    %rbp, 8(\to)
    movq    %r12, 16(\to)
    movq    %r13, 24(\to)
    movq    %r14, 32(\to)
    movq    %r15, 40(\to)
    movq    %rsp, 48(\to)
    stmxcsr 64(\to)
    fnstcw  68(\to)
    fnstsw  70(\to)
    fnstenv 16(%rsp)
    fldenv  16(%rsp)
    movw    24(%rsp), %dx
    movw    %dx, 72(\to)
.endm

    .text
    .globl  cpu_watch
    .type   cpu_watch, @function
/* rdi: function, rsi: argument, rdx: before, rcx: after.
 * Frame: 0 after, 8 function, 16 .. 44 the x87 environment. */
cpu_watch:
    .cfi_startproc
    endbr64
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    subq    $56, %rsp
    .cfi_adjust_cfa_offset 56

    movq    %rcx, 0(%rsp)
    movq    %rdi, 8(%rsp)
    movq    %rdx, %rax
    movabsq $0xb1b1b1b1b1b1b1b1, %rbx
    movabsq $0xb2b2b2b2b2b2b2b2, %rbp
    movabsq $0xc1c1c1c1c1c1c1c1, %r12
    movabsq $0xc2c2c2c2c2c2c2c2, %r13
    movabsq $0xc3c3c3c3c3c3c3c3, %r14
    movabsq $0xc4c4c4c4c4c4c4c4, %r15
    NOTE    %rax
    movq    %rsi, %rdi
    call    *8(%rsp)
    movq    0(%rsp), %rax
    NOTE    %rax

    addq    $56, %rsp
    .cfi_adjust_cfa_offset -56
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    ret
    .cfi_endproc
    .size   cpu_watch, . - cpu_watch

    .section .note.GNU-stack, "", @progbits
