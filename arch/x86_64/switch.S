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

    /* All of it, for moat_arch_is_switching. */
    .globl  moat_switch_begin
    .hidden moat_switch_begin
moat_switch_begin:

/* ---------------------------------------------------------------------------
 * moat_switch_body: the second half of moat_switch_resume, shared by all sites.
 *
 * in:  rdi record, rsi value for the guest, rax where the resumer continues,
 *      rsp and rbp as in the resuming function (nothing was pushed)
 * out: at the guest's pc: rax value, rdi record, rdx command
 *
 * On entry nothing is on the stack for this code: the CFA is rsp itself and the
 * return address is in rax.
 *
 * The guest's stack is fetched first. Stores leave the CPU in order, so the
 * guest's first store to a line that no cache holds would stop all later ones.
 * Fetched here, the lines of several coroutines arrive at the same time
 * (bench/many has the gain).
 */
FUNCTION(moat_switch_body)
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    .cfi_register rip, rax
.Lswitch_body:
    LANDING
    xorl    %edx, %edx              /* COMMAND_NONE */
.Lswitch_command:
    movq    CO_SP(%rdi), %rcx
    prefetchw (%rcx)                /* never faults */
    movq    %rbp, CO_RESUMER_FP(%rdi)
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    /* The resumer's words are complete: from here on a trap may use them. */
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    /* The rows no longer need rax, which takes the value. */
    WINDOW
    movq    %rsi, %rax
    movq    CO_FP(%rdi), %rbp
    movq    CO_BX(%rdi), %rbx
    movq    %rcx, %rsp
    jmp     *CO_PC(%rdi)
    .cfi_endproc
END(moat_switch_body)

/* ---------------------------------------------------------------------------
 * The out-of-line ABI: the inline functions of co.h, for callers that cannot
 * inline. They return by pop and jmp, not ret: the return-stack predictor holds
 * the calls of the other stack by then, so a ret would be mispredicted each
 * time.
 *
 * The callee-saved registers that the switch does not keep go onto the caller's
 * stack, since the other side preserves none.
 *
 * Where the other side waits in this file, too, the switch does not jump: it
 * compares the pc to continue at, falls into a copy of what stands there, and
 * returns to the other side's caller. Their frames are alike (PUSH_FRAME), and
 * so are the rows. An indirect jump takes several cycles even when it is
 * predicted (bench/switch).
 *
 * Below a call on the guest's side, one return per round trip is mispredicted
 * whatever is done here: its call lies under the two that led to the switch. The
 * CPU notices when it has loaded the return address, so the stack pointer that
 * leads there is loaded first, into r11.
 */

/* notrack: the return address has no endbr64, so IBT must not check the jump. */
#define RETURN_BY_JMP                                                          \
    popq %rcx;                                                                 \
    .cfi_def_cfa_offset 0;                                                     \
    .cfi_register rip, rcx;                                                    \
    notrack jmp *%rcx

/* At the resumer: rax value, rdi record, rcx the event to fill in. */
#define RETURN_YIELD                                                           \
    movl $KIND_YIELD, EVENT_KIND(%rcx);                                        \
    movq %rax, EVENT_VALUE(%rcx);                                              \
    movq %rdi, EVENT_CO(%rcx);                                                 \
    xorl %eax, %eax;                                                           \
    POP_FRAME;                                                                 \
    RETURN_BY_JMP

/* moat_status moat_co_resume(moat_co *co, void *input, moat_event *out) */
FUNCTION(moat_co_resume)
    .cfi_startproc
    LANDING
    testq   %rdi, %rdi
    je      .Lresume_slow
    testq   %rdx, %rdx
    je      .Lresume_slow
    movq    moat_tls@gottpoff(%rip), %r10
    movq    CO_STATE(%rdi), %rax
    subq    %fs:TLS_TOKEN(%r10), %rax
    jne     .Lresume_limited
.Lresume_inline:
    movq    CO_SP(%rdi), %r11       /* early: see above */
    prefetchw (%r11)                /* as in moat_switch_body */
    PUSH_FRAME
    pushq   %rdx                    /* out */
    movq    %fs:TLS_CURRENT(%r10), %rax
    movq    %rax, CO_RESUMER(%rdi)
    movq    %rdi, %fs:TLS_CURRENT(%r10)
    /* As moat_switch_body. */
    leaq    .Lresumed(%rip), %rax
    movq    %rbp, CO_RESUMER_FP(%rdi)
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rsp, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    leaq    .Lyielded(%rip), %rcx
    .cfi_remember_state
    .cfi_remember_state
    WINDOW
    cmpq    %rcx, CO_PC(%rdi)       /* no load below changes the flags */
    movq    %rsi, %rax
    movq    CO_FP(%rdi), %rbp
    movq    CO_BX(%rdi), %rbx
    movq    %r11, %rsp
    jne     1f
    .cfi_restore_state
    /* In the guest, as at .Lyielded. */
    POP_FRAME
    RETURN_BY_JMP
    .cfi_restore_state
    .cfi_remember_state
    WINDOW
1:
    xorl    %edx, %edx              /* COMMAND_NONE */
    jmp     *CO_PC(%rdi)
    .cfi_restore_state
    nop
.Lresumed:
    LANDING
    popq    %rcx
    movq    moat_tls@gottpoff(%rip), %r10
    movq    CO_RESUMER(%rdi), %r9
    movq    %r9, %fs:TLS_CURRENT(%r10)
    cmpl    $KIND_YIELD, %edx
    jne     .Lresume_settle
    .cfi_remember_state
    RETURN_YIELD
    .cfi_restore_state
.Lresume_settle:
    movq    %rax, %rsi
    POP_FRAME
    jmp     moat_co_settle@PLT
.Lresume_limited:
    cmpq    %fs:TLS_REACH(%r10), %rax
    ja      .Lresume_slow
    movq    %fs:TLS_FUEL(%r10), %r8
    subq    $1, (%r8)
    jnc     .Lresume_inline
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
    movq    moat_tls@gottpoff(%rip), %r10
    cmpq    %rdi, %fs:TLS_CURRENT(%r10)
    jne     .Lyield_slow
    movq    CO_RESUMER_SP(%rdi), %r11   /* early: see above */
    PUSH_FRAME
    leaq    .Lyielded(%rip), %rax
    movq    %rbp, CO_FP(%rdi)
    movq    %rax, CO_PC(%rdi)
    movq    %rsp, CO_SP(%rdi)
    movq    %rbx, CO_BX(%rdi)
    movq    CO_TOKEN(%rdi), %rcx
    movq    %rcx, CO_STATE(%rdi)
    leaq    .Lresumed(%rip), %rcx
    .cfi_remember_state
    .cfi_remember_state
    WINDOW
    cmpq    %rcx, CO_RESUMER_PC(%rdi)
    movq    %rsi, %rax
    movq    CO_RESUMER_FP(%rdi), %rbp
    movq    CO_RESUMER_BX(%rdi), %rbx
    movq    %r11, %rsp
    jne     1f
    .cfi_restore_state
    /* At the resumer, as at .Lresumed. */
    popq    %rcx
    movq    CO_RESUMER(%rdi), %r9
    movq    %r9, %fs:TLS_CURRENT(%r10)
    RETURN_YIELD
    .cfi_restore_state
    .cfi_remember_state
    WINDOW
1:
    movl    $KIND_YIELD, %edx
    jmp     *CO_RESUMER_PC(%rdi)
    .cfi_restore_state
    nop
.Lyielded:
    LANDING
    testl   %edx, %edx
    jne     .Lyield_unwind
    .cfi_remember_state
    POP_FRAME
    RETURN_BY_JMP
    .cfi_restore_state
.Lyield_unwind:
    call    moat_co_unwind@PLT      /* does not return; rsp is aligned */
    nop
    .cfi_endproc

    .cfi_startproc
.Lyield_slow:
    jmp     moat_co_yield_slow@PLT
    .cfi_endproc
END(moat_co_yield)

/* ---------------------------------------------------------------------------
 * Symmetric transfer: a coroutine suspends itself and continues another,
 * without returning to their common resumer. Let A be the running one, B the other, R
 * the resumer.
 *
 * 1. R's words (fp, pc, sp, bx), the thread's word as R found it, and the
 *    control words are copied from A's record to B's: a yield or a trap of B
 *    will go to R, as one of A did. A's copies are stale until the next resume
 *    or transfer to A overwrites them.
 * 2. The thread's word names B.
 * 3. A's own words are written, and then its state, as by a yield: from then
 *    on A may be resumed.
 * 4. B's state becomes RUNNING, and B's words are loaded, as by a resume.
 *
 * A deadline that comes between 2 and 4 finds a current coroutine that is not
 * RUNNING, and waits, as it does in the middle of a resume or a yield. A walk
 * that comes in the window of 4 finds R's frame above, which is right for both.
 *
 * moat_transfer_body does all of them. The slow path does the first two itself,
 * and continues at .Ltransfer_over.
 *
 * in:  rdi A, rsi B, rdx value for B, rax where A continues, rsp, rbp and rbx as
 *      in the transferring function (nothing was pushed)
 * out: at B's pc: rax value, rdi B, rdx command
 *
 * The control words are compared before they are stored: they are nearly always
 * equal, and a store takes longer.
 */
FUNCTION(moat_transfer_body)
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    .cfi_register rip, rax
.Ltransfer_body:
    LANDING
    movq    CO_SP(%rsi), %rcx
    prefetchw (%rcx)                /* as in moat_switch_body */
    /* Step 1, as moat_arch_take_over. */
    movups  CO_RESUMER_FP(%rdi), %xmm0
    movups  CO_RESUMER_SP(%rdi), %xmm1
    movq    CO_RESUMER(%rdi), %rcx
    movl    CO_MXCSR(%rdi), %r8d
    movzwl  CO_FCW(%rdi), %r9d
    movups  %xmm0, CO_RESUMER_FP(%rsi)
    movups  %xmm1, CO_RESUMER_SP(%rsi)
    movq    %rcx, CO_RESUMER(%rsi)
    cmpl    %r8d, CO_MXCSR(%rsi)
    jne     2f
    cmpw    %r9w, CO_FCW(%rsi)
    jne     2f
3:
    /* Step 2. */
    movq    moat_tls@gottpoff(%rip), %rcx
    movq    %rsi, %fs:TLS_CURRENT(%rcx)
.Ltransfer_over:
    /* Step 3. */
    movq    %rbp, CO_FP(%rdi)
    movq    %rax, CO_PC(%rdi)
    movq    %rsp, CO_SP(%rdi)
    movq    %rbx, CO_BX(%rdi)
    movq    CO_TOKEN(%rdi), %rcx
    movq    %rcx, CO_STATE(%rdi)
    /* Step 4. */
    movq    %rsi, %rdi
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    .cfi_remember_state
    WINDOW
    movq    %rdx, %rax
    xorl    %edx, %edx              /* COMMAND_NONE */
    movq    CO_FP(%rdi), %rbp
    movq    CO_BX(%rdi), %rbx
    movq    CO_SP(%rdi), %rsp
    jmp     *CO_PC(%rdi)
    .cfi_restore_state
2:
    movl    %r8d, CO_MXCSR(%rsi)
    movw    %r9w, CO_FCW(%rsi)
    jmp     3b
    .cfi_endproc
END(moat_transfer_body)

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
    /* A fresh one: see the inline function. */
    movq    CO_ROOT_SP(%rsi), %rax
    cmpq    CO_SP(%rsi), %rax
    je      .Lswitch_to_slow
    PUSH_FRAME
    pushq   %rcx                    /* input */
    leaq    1f(%rip), %rax
    /* By the local name: the global one would go through the PLT, whose unwind
     * rows take the word at rsp for a return address. */
    jmp     .Ltransfer_body
    nop
1:
    LANDING
    popq    %rcx
    testl   %edx, %edx
    jne     .Lswitch_to_unwind
    movq    %rax, (%rcx)
    xorl    %eax, %eax
    .cfi_remember_state
    POP_FRAME
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

/* struct moat_switch_input moat_switch_to(moat_co *self, moat_co *other,
 *                                         void *value): in rax and rdx */
    .hidden moat_switch_to
FUNCTION(moat_switch_to)
    .cfi_startproc
    LANDING
    PUSH_FRAME
    leaq    1f(%rip), %rax
    jmp     .Ltransfer_over
    nop
1:
    LANDING
    POP_FRAME
    RETURN_BY_JMP
    .cfi_endproc
END(moat_switch_to)

/* ---------------------------------------------------------------------------
 * moat_switch_resume_unwinding(co, input, back): a resume with a command.
 */
    .hidden moat_switch_resume_unwinding
FUNCTION(moat_switch_resume_unwinding)
    .cfi_startproc
    LANDING
    PUSH_FRAME
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
    POP_FRAME
    RETURN_BY_JMP
    .cfi_restore_state
    .cfi_endproc
END(moat_switch_resume_unwinding)

    .globl  moat_switch_end
    .hidden moat_switch_end
moat_switch_end:

END_OF_FILE
