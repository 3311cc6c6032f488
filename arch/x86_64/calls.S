/*
 * calls.S: calls that C cannot make: one that a redirected fault ends, and one
 * on another stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/rows.h"

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_try(landing, fn, arg): a call that a redirected fault ends. This
 * frame becomes the resumer in the landing record, so traps and probes are
 * redirected in the same way.
 *
 * in:  rdi landing, rsi fn, rdx arg
 * out: rax 0, or the kind of the redirection, which arrives at 1: in rdx
 */
    .hidden moat_arch_try
FUNCTION(moat_arch_try)
    .cfi_startproc
    LANDING
    PUSH_FRAME
    pushq   %rbx                    /* the rest of this function uses it */
    .cfi_offset rbx, -56
    subq    $8, %rsp                /* 16-byte alignment at the call */
    movq    %rbp, CO_RESUMER_FP(%rdi)
    leaq    1f(%rip), %rax
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rdi, %rbx
    movq    %rbx, CO_RESUMER_BX(%rdi)
    stmxcsr CO_MXCSR(%rdi)
    fnstcw  CO_FCW(%rdi)
    /* While this word is not 0, handlers may redirect to the landing. At the
     * landing rbx is again what it is here. */
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rdx, %rdi
    call    *%rsi
    xorl    %edx, %edx
    nop
1:
    LANDING
    movq    $0, CO_RESUMER_SP(%rbx)
    movq    %rdx, %rax
    addq    $8, %rsp
    popq    %rbx
    .cfi_same_value rbx
    POP_FRAME
    ret
    .cfi_endproc
END(moat_arch_try)

/* ---------------------------------------------------------------------------
 * moat_arch_call_on_resumer(co, fn, arg): calls fn(arg) on the resumer's stack,
 * below the frame that resumed `co`, and returns its result.
 *
 * in:  rdi co, rsi fn, rdx arg
 * out: rax result
 *
 * The rows start from rbp, which fn preserves, so they hold while rsp is on
 * either stack. The frame is marked as a signal frame for the same reason as
 * the root: the frames above it may lie at lower addresses.
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
    movq    %rsp, CO_SP(%rdi)       /* where the guest waits, for collectors */
    /* The resumer may be a leaf function, since the switch is inline: its red
     * zone stays untouched. */
#if MOAT_SWITCH_PORTABLE
    /* moat_arch_resumer_top. At resumer_sp a signal's frame would lie where the
     * resumer waits. */
    movq    CO_RESUMER_POINT(%rdi), %rcx
    leaq    CO_RESUMER_SP(%rdi), %rax
    testq   %rcx, %rcx
    cmovne  %rcx, %rax
    movq    (%rax), %rsp
#else
    movq    CO_RESUMER_SP(%rdi), %rsp
#endif
    subq    $MOAT_ARCH_RED_ZONE, %rsp
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
