/*
 * enter.S: the way from a backend other than the native one into the root
 * frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_enter_root(co, input): drops the frames of the backend, which began
 * at the same end of the stack, and begins the root frame.
 *
 * in:  rdi co, rsi input
 * out: at moat_root_start or moat_root_noted: rdi and rbp record, rax input
 */
    .hidden moat_arch_enter_root
FUNCTION(moat_arch_enter_root)
    .cfi_startproc
    LANDING
    movq    %rsi, %rax
    movq    %rdi, %rbp
    /* No caller is left from here on. */
    .cfi_undefined rip
    movq    CO_ROOT_SP(%rdi), %rsp
    jmp     *CO_PC(%rdi)
    .cfi_endproc
END(moat_arch_enter_root)

END_OF_FILE
