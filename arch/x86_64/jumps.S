/*
 * jumps.S: the usual way of the backend sigaltstack, by the C library's
 * _setjmp and _longjmp. portable.c has the whole switch, and says why each step
 * comes when it does; what is not usual is left to it.
 *
 * In C each of these functions would end in a ret, and its callers in the
 * library, too. The CPU predicts a ret by the calls before it, which are the
 * other side's after a jump: it would be wrong each time, four times in a round
 * trip, and that took longer than all else but the jumps. Here there is one
 * frame on each side, which calls _setjmp itself, and which is left by an
 * indirect jmp.
 *
 * _setjmp keeps rbx, rbp and r12 to r15, so none of them is pushed. Nothing but
 * memory is left of the others when it returns for the second time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

    .text

    .hidden moat_switch_whole       /* portable.c */
    .hidden moat_transfer_whole

/* The frame: a struct moat_point, the caller's pointer for the result, the
 * buffer of the other side, and the coroutine. rsp is a multiple of 16 in it. */
#define FRAME_BACK  MOAT_ARCH_POINT_BYTES
#define FRAME_OTHER (FRAME_BACK + 8)
#define FRAME_SELF  (FRAME_BACK + 16)
#define FRAME_BYTES MOAT_ARCH_POINT_FRAME

/* Waits at the point at rsp, and continues at the one whose buffer is at
 * FRAME_OTHER(%rsp). Keeps the registers that a call keeps. A jump comes back
 * to the LANDING. The nop: see moat_switch_resume. */
#define SWAP                                                                   \
    leaq    MOAT_ARCH_POINT_BUFFER(%rsp), %rdi;                                \
    call    *_setjmp@GOTPCREL(%rip);                                           \
    LANDING;                                                                   \
    testl   %eax, %eax;                                                        \
    jne     1f;                                                                \
    movq    FRAME_OTHER(%rsp), %rdi;                                           \
    movl    $1, %esi;                                                          \
    call    *_longjmp@GOTPCREL(%rip);                                          \
    nop;                                                                       \
1:

/* notrack: as in switch.S. */
#define RETURN_BY_JMP                                                          \
    addq    $FRAME_BYTES, %rsp;                                                \
    .cfi_def_cfa_offset 8;                                                     \
    popq    %rcx;                                                              \
    .cfi_def_cfa_offset 0;                                                     \
    .cfi_register rip, rcx;                                                    \
    notrack jmp *%rcx

/* ---------------------------------------------------------------------------
 * moat_switch_body(co, input, command, back): see <moat/switch/portable.h>. Of
 * a coroutine that was never entered it is the whole one's.
 *
 * in: rdi co, rsi input, rdx command, rcx back
 */
FUNCTION(moat_switch_body)
    .cfi_startproc
    LANDING
    movq    CO_SP(%rdi), %rax
    cmpq    CO_ROOT_SP(%rdi), %rax
    je      .Lbody_whole
    subq    $FRAME_BYTES, %rsp
    .cfi_def_cfa_offset FRAME_BYTES + 8
    movq    %rcx, FRAME_BACK(%rsp)
    movq    %rsp, MOAT_ARCH_POINT_TOP(%rsp)
    /* The resumer's words are those after the return from here. */
    movq    FRAME_BYTES(%rsp), %rax
    leaq    FRAME_BYTES + 8(%rsp), %rcx
    movq    %rbp, CO_RESUMER_FP(%rdi)
    movq    %rax, CO_RESUMER_PC(%rdi)
    movq    %rcx, CO_RESUMER_SP(%rdi)
    movq    %rbx, CO_RESUMER_BX(%rdi)
    movq    %rsp, CO_RESUMER_POINT(%rdi)
    movq    CO_POINT(%rdi), %rax
    movq    %rsi, MOAT_ARCH_POINT_VALUE(%rax)
    movq    %rdx, MOAT_ARCH_POINT_WORD(%rax)
    addq    $MOAT_ARCH_POINT_BUFFER, %rax
    movq    %rax, FRAME_OTHER(%rsp)
    SWAP
    movq    FRAME_BACK(%rsp), %rcx
    movq    MOAT_ARCH_POINT_VALUE(%rsp), %rax
    movq    MOAT_ARCH_POINT_WORD(%rsp), %rdx
    movq    MOAT_ARCH_POINT_CO(%rsp), %rsi
    movq    %rax, SWITCHED_VALUE(%rcx)
    movq    %rdx, SWITCHED_KIND(%rcx)
    movq    %rsi, SWITCHED_CO(%rcx)
    movq    $0, CO_RESUMER_POINT(%rsi) /* the frame ends */
    .cfi_remember_state
    RETURN_BY_JMP
    .cfi_restore_state
.Lbody_whole:
    .cfi_def_cfa_offset 8
    jmp     moat_switch_whole
    .cfi_endproc
END(moat_switch_body)

/* ---------------------------------------------------------------------------
 * moat_transfer_body(self, other, value, kind, back): likewise. A transfer to
 * another coroutine, and an end without a way back, are the whole one's, and so
 * is a yield to a resumer for which a border stands.
 *
 * in: rdi self, rsi other, rdx value, rcx kind, r8 back
 */
FUNCTION(moat_transfer_body)
    .cfi_startproc
    LANDING
    testq   %r8, %r8
    je      .Ltransfer_whole
    testq   %rsi, %rsi
    jne     .Ltransfer_whole
    subq    $FRAME_BYTES, %rsp
    .cfi_def_cfa_offset FRAME_BYTES + 8
    testb   $0, -MOAT_ARCH_POINT_ROOM(%rsp) /* as the function probe */
    /* Up to here a slice may end, and the next resume come from elsewhere. */
    movl    $1, CO_SWITCHING(%rdi)
    movq    CO_RESUMER_POINT(%rdi), %rax
    testq   %rax, %rax
    je      .Ltransfer_bordered
    movq    %r8, FRAME_BACK(%rsp)
    movq    %rsp, MOAT_ARCH_POINT_TOP(%rsp)
    movq    FRAME_BYTES(%rsp), %r9
    leaq    FRAME_BYTES + 8(%rsp), %r10
    movq    %rbp, CO_FP(%rdi)
    movq    %r9, CO_PC(%rdi)
    movq    %r10, CO_SP(%rdi)
    movq    %rbx, CO_BX(%rdi)
    movq    %rsp, CO_POINT(%rdi)
    movq    CO_TOKEN(%rdi), %r9
    movq    %r9, CO_STATE(%rdi)
    movq    %rdx, MOAT_ARCH_POINT_VALUE(%rax)
    movq    %rcx, MOAT_ARCH_POINT_WORD(%rax)
    movq    %rdi, MOAT_ARCH_POINT_CO(%rax)
    movq    %rdi, FRAME_SELF(%rsp)
    addq    $MOAT_ARCH_POINT_BUFFER, %rax
    movq    %rax, FRAME_OTHER(%rsp)
    SWAP
    movq    FRAME_BACK(%rsp), %rcx
    movq    FRAME_SELF(%rsp), %rdi
    movq    MOAT_ARCH_POINT_VALUE(%rsp), %rax
    movq    MOAT_ARCH_POINT_WORD(%rsp), %rdx
    movl    $0, CO_SWITCHING(%rdi)
    movq    $MARK_RUNNING, CO_STATE(%rdi)
    movq    %rdi, RESUMED_SELF(%rcx)
    movq    %rax, RESUMED_INPUT(%rcx)
    movq    %rdx, RESUMED_COMMAND(%rcx)
    .cfi_remember_state
    RETURN_BY_JMP
    .cfi_restore_state
.Ltransfer_bordered:
    movl    $0, CO_SWITCHING(%rdi)
    addq    $FRAME_BYTES, %rsp
    .cfi_def_cfa_offset 8
.Ltransfer_whole:
    .cfi_def_cfa_offset 8
    jmp     moat_transfer_whole
    .cfi_endproc
END(moat_transfer_body)

END_OF_FILE
