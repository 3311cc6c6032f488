/*
 * switch.S: the shared body of resume, the out-of-line ABI, symmetric transfer.
 * root.S draws what lies on the two sides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/rows.h"

    .text

    .hidden moat_root_start         /* root.S */

/* ---------------------------------------------------------------------------
 * moat_switch_body: the second half of moat_switch_resume, shared by all sites.
 *
 * in:  rdi record, rsi value for the guest, rax where to come back to,
 *      rsp and rbp as in the resuming function (nothing was pushed)
 * out: at the guest's pc: rax value, rdi record, rdx command
 *
 * On entry nothing is on the stack for this code: the CFA is rsp itself and the
 * return address is in rax.
 */
FUNCTION(moat_switch_body)
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    .cfi_register rip, rax
.Lswitch_body:
    LANDING
    xorl    %edx, %edx              /* COMMAND_NONE */
.Lswitch_command:
    movq    %rbp, CO_RESUMER_FP(%rdi)
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    /* The way back is known: a trap may use it. */
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    /* From here the record says all, and rax is free for the value. */
    WINDOW
    movq    %rsi, %rax
    movq    CO_FP(%rdi), %rbp
    movq    CO_BX(%rdi), %rbx
    movq    CO_SP(%rdi), %rsp
    jmp     *CO_PC(%rdi)
    .cfi_endproc
END(moat_switch_body)

/* ---------------------------------------------------------------------------
 * The out-of-line ABI: the inline functions of co.h as functions, for callers
 * that cannot inline. They return by pop and jmp, not ret: the matching call was
 * made on another visit, so a ret would be predicted wrongly each time.
 *
 * All callee-saved registers go onto the caller's stack, since the other side
 * keeps none.
 */

/* notrack: what stands behind a call is no landing pad. */
#define RETURN_BY_JMP                                                          \
    popq %rcx;                                                                 \
    .cfi_def_cfa_offset 0;                                                     \
    .cfi_register rip, rcx;                                                    \
    notrack jmp *%rcx

/* moat_status moat_co_resume(moat_co *co, void *input, moat_event *out) */
FUNCTION(moat_co_resume)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lresume_slow
    testq   %rdx, %rdx
    je      .Lresume_slow
    movq    moat_tls@gottpoff(%rip), %rcx
    movq    %fs:TLS_TOKEN(%rcx), %rax
    cmpq    CO_STATE(%rdi), %rax
    jne     .Lresume_slow
    PUSH_CALLEE_SAVED
    pushq   %rdx                    /* out */
    movq    %fs:TLS_CURRENT(%rcx), %rax
    movq    %rax, CO_RESUMER(%rdi)
    movq    %rdi, %fs:TLS_CURRENT(%rcx)
    leaq    1f(%rip), %rax
    /* By the local name: the global one would go through the PLT, whose unwind
     * rows take the word at rsp for a return address. */
    jmp     .Lswitch_body
    nop
1:
    LANDING
    popq    %rcx
    movq    moat_tls@gottpoff(%rip), %r10
    movq    CO_RESUMER(%rdi), %r9
    movq    %r9, %fs:TLS_CURRENT(%r10)
    cmpl    $KIND_YIELD, %edx
    jne     .Lresume_settle
    movl    $KIND_YIELD, EVENT_KIND(%rcx)
    movq    %rax, EVENT_VALUE(%rcx)
    movq    %rdi, EVENT_CO(%rcx)
    xorl    %eax, %eax
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lresume_settle:
    movq    %rax, %rsi
    POP_CALLEE_SAVED
    jmp     moat_co_settle@PLT
.Lresume_slow:
    jmp     moat_co_resume_slow@PLT
    .cfi_endproc
END(moat_co_resume)

/* void *moat_co_yield(moat_co *self, void *value) */
FUNCTION(moat_co_yield)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lyield_slow
    movq    moat_tls@gottpoff(%rip), %rcx
    cmpq    %rdi, %fs:TLS_CURRENT(%rcx)
    jne     .Lyield_slow
    PUSH_CALLEE_SAVED
    leaq    1f(%rip), %rax
    movq    %rbp, CO_FP(%rdi)
    movq    %rax, CO_PC(%rdi)
    movq    %rsp, CO_SP(%rdi)
    movq    %rbx, CO_BX(%rdi)
    movq    CO_TOKEN(%rdi), %rcx
    movq    %rcx, CO_STATE(%rdi)
    movq    %rsi, %rax
    movl    $KIND_YIELD, %edx
    .cfi_remember_state
    WINDOW
    movq    CO_RESUMER_FP(%rdi), %rbp
    movq    CO_RESUMER_BX(%rdi), %rbx
    movq    CO_RESUMER_SP(%rdi), %rsp
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_restore_state
    nop
1:
    LANDING
    testl   %edx, %edx
    jne     .Lyield_unwind
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lyield_unwind:
    subq    $8, %rsp                /* 16-byte alignment at the call */
    call    moat_co_unwind@PLT      /* does not return */
    nop
    .cfi_endproc

    .cfi_startproc
.Lyield_slow:
    jmp     moat_co_yield_slow@PLT
    .cfi_endproc
END(moat_co_yield)

/* ---------------------------------------------------------------------------
 * Symmetric transfer. SWITCH_OVER leaves rdi, the running coroutine, for rsi,
 * which has its resumer's words and is the thread's current one; rdx is the
 * value. The callee-saved registers are on the stack. The order of the writes is
 * that of a yield, then that of a resume: in between a deadline waits, for
 * neither record is RUNNING. In the window the frame is the resumer's, who is
 * the same for both. Behind it come rdi: record, rax: input, rdx: command.
 */
#define SWITCH_OVER                                                            \
    leaq    1f(%rip), %rax;                                                    \
    movq    %rbp, CO_FP(%rdi);                                                 \
    movq    %rax, CO_PC(%rdi);                                                 \
    movq    %rsp, CO_SP(%rdi);                                                 \
    movq    %rbx, CO_BX(%rdi);                                                 \
    movq    CO_TOKEN(%rdi), %rcx;                                              \
    movq    %rcx, CO_STATE(%rdi);                                              \
    movq    %rsi, %rdi;                                                        \
    movq    %rdx, %rax;                                                        \
    xorl    %edx, %edx;         /* COMMAND_NONE */                             \
    movq    $MARK_RUNNING, CO_STATE(%rdi);                                     \
    .cfi_remember_state;                                                       \
    WINDOW;                                                                    \
    movq    CO_FP(%rdi), %rbp;                                                 \
    movq    CO_BX(%rdi), %rbx;                                                 \
    movq    CO_SP(%rdi), %rsp;                                                 \
    jmp     *CO_PC(%rdi);                                                      \
    .cfi_restore_state;                                                        \
    nop;                                                                       \
1:                                                                             \
    LANDING

/* moat_status moat_co_switch_to(moat_co *self, moat_co *other, void *value,
 *                               void **input) */
FUNCTION(moat_co_switch_to)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lswitch_to_slow
    testq   %rsi, %rsi
    je      .Lswitch_to_slow
    testq   %rcx, %rcx
    je      .Lswitch_to_slow
    movq    moat_tls@gottpoff(%rip), %r8
    cmpq    %rdi, %fs:TLS_CURRENT(%r8)
    jne     .Lswitch_to_slow
    movq    %fs:TLS_TOKEN(%r8), %rax
    cmpq    CO_STATE(%rsi), %rax
    jne     .Lswitch_to_slow
    /* A fresh one must not note the control words as its resumer's. */
    leaq    moat_root_start(%rip), %rax
    cmpq    %rax, CO_PC(%rsi)
    je      .Lswitch_to_slow
    PUSH_CALLEE_SAVED
    pushq   %rcx                    /* input */
    /* As moat_arch_take_place. */
    movups  CO_RESUMER_FP(%rdi), %xmm0
    movups  CO_RESUMER_SP(%rdi), %xmm1
    movups  %xmm0, CO_RESUMER_FP(%rsi)
    movups  %xmm1, CO_RESUMER_SP(%rsi)
    movq    CO_RESUMER(%rdi), %rax
    movq    %rax, CO_RESUMER(%rsi)
    movl    CO_MXCSR(%rdi), %eax
    movl    %eax, CO_MXCSR(%rsi)
    movzwl  CO_FCW(%rdi), %eax
    movw    %ax, CO_FCW(%rsi)
    movq    %rsi, %fs:TLS_CURRENT(%r8)
    SWITCH_OVER
    testl   %edx, %edx
    jne     .Lswitch_to_unwind
    popq    %rcx
    movq    %rax, (%rcx)
    xorl    %eax, %eax
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
.Lswitch_to_unwind:
    call    moat_co_unwind@PLT      /* does not return; rsp is aligned */
    nop
    .cfi_endproc

    .cfi_startproc
.Lswitch_to_slow:
    jmp     moat_co_switch_to_slow@PLT
    .cfi_endproc
END(moat_co_switch_to)

/* struct moat_arch_input moat_arch_switch_to(moat_co *self, moat_co *other,
 *                                            void *value): in rax and rdx */
    .hidden moat_arch_switch_to
FUNCTION(moat_arch_switch_to)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    SWITCH_OVER
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_endproc
END(moat_arch_switch_to)

/* ---------------------------------------------------------------------------
 * moat_arch_resume_unwinding(co, input, back): moat_switch_resume with a command.
 */
    .hidden moat_arch_resume_unwinding
FUNCTION(moat_arch_resume_unwinding)
    .cfi_startproc
    LANDING
    PUSH_CALLEE_SAVED
    pushq   %rdx                    /* back */
    leaq    1f(%rip), %rax
    movl    $COMMAND_UNWIND, %edx
    jmp     .Lswitch_command
    nop
1:
    LANDING
    popq    %rcx
    movq    %rax, SWITCHED_VALUE(%rcx)
    movq    %rdx, SWITCHED_KIND(%rcx)
    movq    %rdi, SWITCHED_CO(%rcx)
    .cfi_remember_state
    POP_CALLEE_SAVED
    RETURN_BY_JMP
    .cfi_restore_state
    .cfi_endproc
END(moat_arch_resume_unwinding)

END_OF_FILE
