/*
 * filter.S: how filtered code continues once a signal handler has let its
 * system calls pass.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

#define RED_ZONE MOAT_ARCH_RED_ZONE

#define BLOCK 1

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_filtered: a handler has led the interrupted code here.
 *
 * in:  rbx struct moat_arch_filtered, rsp at the end of the red zone; all other
 *      registers and the flags as the interrupted code had them
 *
 * All that is needed after the store lies on the stack: once the selector is
 * set, the next signal may need the struct.
 *
 * .cfi_signal_frame: the return address is where the code was interrupted, and
 * not after a call.
 */
    .hidden moat_arch_filtered
    .globl  moat_arch_filtered_set
    .hidden moat_arch_filtered_set
FUNCTION(moat_arch_filtered)
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, RED_ZONE
    /* rbx at rbx + 0, the return address at rbx + 8. */
    .cfi_escape 0x10, 0x03, 0x02, 0x73, 0x00
    .cfi_escape 0x10, 0x10, 0x02, 0x73, 0x08
    pushq   FILTERED_PC(%rbx)
    .cfi_def_cfa_offset RED_ZONE + 8
    .cfi_offset rip, -136
    pushq   FILTERED_BX(%rbx)
    .cfi_def_cfa_offset RED_ZONE + 16
    .cfi_offset rbx, -144
    movq    FILTERED_SELECTOR(%rbx), %rbx
    movb    $BLOCK, (%rbx)
moat_arch_filtered_set:
    popq    %rbx
    .cfi_def_cfa_offset RED_ZONE + 8
    .cfi_same_value rbx
    ret     $RED_ZONE
    .cfi_endproc
END(moat_arch_filtered)

/* ---------------------------------------------------------------------------
 * moat_arch_filtered_call: a handler has led code here that was about to make a
 * system call.
 *
 * in:  rbx struct moat_arch_filtered; all other registers as for the call
 *
 * A system call overwrites rcx with the address after it, and r11 with the
 * flags; so may this. The code that continues is left no other trace.
 *
 * Without a handler's leave the call is dispatched like any other: it is no way
 * around the filter.
 */
    .hidden moat_arch_filtered_call
FUNCTION(moat_arch_filtered_call)
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, 0
    .cfi_escape 0x10, 0x03, 0x02, 0x73, 0x00
    .cfi_escape 0x10, 0x10, 0x02, 0x73, 0x08
    syscall
    movq    FILTERED_SELECTOR(%rbx), %r11
    movq    FILTERED_PC(%rbx), %rcx
    .cfi_register rip, rcx
    movq    FILTERED_BX(%rbx), %rbx
    .cfi_same_value rbx
    movb    $BLOCK, (%r11)
    jmp     *%rcx
    .cfi_endproc
END(moat_arch_filtered_call)

/* ---------------------------------------------------------------------------
 * moat_arch_syscall(call): makes a system call.
 *
 * in:  rdi moat_syscall
 * out: rax its result
 */
    .hidden moat_arch_syscall
FUNCTION(moat_arch_syscall)
    .cfi_startproc
    LANDING
    movq    CALL_NUMBER(%rdi), %rax
    movq    CALL_ARGS + 8(%rdi), %rsi
    movq    CALL_ARGS + 16(%rdi), %rdx
    movq    CALL_ARGS + 24(%rdi), %r10
    movq    CALL_ARGS + 32(%rdi), %r8
    movq    CALL_ARGS + 40(%rdi), %r9
    movq    CALL_ARGS(%rdi), %rdi
    syscall
    ret
    .cfi_endproc
END(moat_arch_syscall)

END_OF_FILE
