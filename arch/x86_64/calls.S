/*
 * calls.S: calls that C cannot make: one that a fault can be redirected out of,
 * and one on another stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/rows.h"

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_try(landing, fn, arg): a call that a fault can be redirected out of.
 * The landing record gets this frame as its "resumer", so one redirect serves
 * traps and probes alike.
 */
    .hidden moat_arch_try
FUNCTION(moat_arch_try)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    subq    $8, %rsp                /* 16-byte alignment at the call */
    movq    %rbp, CO_RESUMER_FP(%rdi)
    leaq    1f(%rip), %rax
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    stmxcsr CO_MXCSR(%rdi)
    fnstcw  CO_FCW(%rdi)
    movq    %rdx, %rdi
    call    *%rsi
    xorl    %edx, %edx
    nop
1:
    LANDING
    movq    %rdx, %rax
    addq    $8, %rsp
    POP_CALLEE_SAVED
    ret
    .cfi_endproc
END(moat_arch_try)

/* ---------------------------------------------------------------------------
 * moat_arch_call_on_resumer(co, fn, arg): calls fn(arg) on the stack of whoever
 * resumed `co`, below the place where it did, and gives back its result.
 *
 * The rows start from rbp, which fn preserves; they are good while rsp is on
 * either stack. A signal frame for the reason that the root is one: the frames
 * above may lie at lower addresses.
 */
    .hidden moat_arch_call_on_resumer
FUNCTION(moat_arch_call_on_resumer)
    .cfi_startproc
    .cfi_signal_frame
    LANDING
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register rbp
    /* The resumer may be a leaf function, since the switch is inline: its red zone
     * (psABI 3.2.2) is stepped over. */
    movq    CO_RESUMER_SP(%rdi), %rsp
    subq    $128, %rsp
    andq    $-16, %rsp
    movq    %rdx, %rdi
    call    *%rsi
    .globl  moat_arch_call_on_return
    .hidden moat_arch_call_on_return
moat_arch_call_on_return:
    movq    %rbp, %rsp
    popq    %rbp
    .cfi_def_cfa rsp, 8
    .cfi_same_value rbp
    ret
    .cfi_endproc
END(moat_arch_call_on_resumer)

END_OF_FILE
