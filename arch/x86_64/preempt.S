/*
 * preempt.S: how a guest that was interrupted at any instruction leaves its
 * stack, and how it continues there.
 *
 *        guest's stack
 *   | interrupted frame |
 *   +-------------------+ <- rsp of the interrupted code: the CFA
 *   | red zone          |    its own, and kept
 *   +-------------------+ -128
 *   | pc                | -136
 *   | rbp               | -144 <- rbp: a frame record with the word above
 *   | flags             | -152
 *   | rbx               | -160
 *   | rax rcx rdx rsi   | -168 ...
 *   | rdi r8 ... r15    | -200 ... -264
 *   | used, unused      | -272 -280   components of the state
 *   +-------------------+
 *   | XSAVE area        |    aligned to 64 bytes
 *   | fp, pc, sp, bx    |    of the record
 *   +-------------------+ <- rsp of the call
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

#define RED_ZONE MOAT_ARCH_RED_ZONE

/* From rbp. */
#define FRAME_R15    -120
#define FRAME_USED   -128
#define FRAME_UNUSED -136

/* The header of an XSAVE area follows the 512 legacy bytes (SDM vol. 1, 13.4);
 * XSAVE leaves its reserved words as they are, and XRSTOR wants them to be 0. */
#define XSAVE_HEADER 512

    .text

/* A register that is saved at this distance below the CFA. */
#define SAVE(reg, below)                                                       \
    pushq %reg;                                                                \
    .cfi_offset reg, -below

#define RESTORE(reg)                                                           \
    popq %reg;                                                                 \
    .cfi_same_value reg

/* ---------------------------------------------------------------------------
 * moat_arch_preempted: a handler has redirected the interrupted guest here.
 *
 * in:  rbx struct moat_arch_preempted, rsp at the end of the red zone; all other
 *      registers as the guest had them, except the flags DF and AC, which are
 *      clear
 *
 * Nothing is written below the red zone before the guest itself does it: if its
 * stack is gone, the fault is the guest's.
 *
 * .cfi_signal_frame: the return address is where the guest was interrupted, and
 * not after a call.
 */
    .hidden moat_arch_preempted
    .globl  moat_arch_preempted_end
    .hidden moat_arch_preempted_end
FUNCTION(moat_arch_preempted)
    .cfi_startproc
    .cfi_signal_frame
    /* CFA = *(rbx + 16); rbx at rbx + 0, the return address at rbx + 8. */
    .cfi_escape 0x0f, 0x03, 0x73, 0x10, 0x06
    .cfi_escape 0x10, 0x03, 0x02, 0x73, 0x00
    .cfi_escape 0x10, 0x10, 0x02, 0x73, 0x08
    pushq   PREEMPTED_PC(%rbx)
    pushq   %rbp
    movq    %rsp, %rbp
    .cfi_def_cfa rbp, RED_ZONE + 16
    .cfi_offset rip, -136
    .cfi_offset rbp, -144
    pushq   PREEMPTED_FLAGS(%rbx)
    pushq   PREEMPTED_BX(%rbx)
    .cfi_offset rbx, -160
    SAVE(rax, 168)
    SAVE(rcx, 176)
    SAVE(rdx, 184)
    SAVE(rsi, 192)
    SAVE(rdi, 200)
    SAVE(r8, 208)
    SAVE(r9, 216)
    SAVE(r10, 224)
    SAVE(r11, 232)
    SAVE(r12, 240)
    SAVE(r13, 248)
    SAVE(r14, 256)
    SAVE(r15, 264)
    pushq   PREEMPTED_USED(%rbx)
    pushq   PREEMPTED_UNUSED(%rbx)
    /* The components that are in use. */
    subq    PREEMPTED_BYTES(%rbx), %rsp
    andq    $-64, %rsp
    xorl    %eax, %eax
    movq    %rax, XSAVE_HEADER + 0(%rsp)
    movq    %rax, XSAVE_HEADER + 8(%rsp)
    movq    %rax, XSAVE_HEADER + 16(%rsp)
    movq    %rax, XSAVE_HEADER + 24(%rsp)
    movq    %rax, XSAVE_HEADER + 32(%rsp)
    movq    %rax, XSAVE_HEADER + 40(%rsp)
    movq    %rax, XSAVE_HEADER + 48(%rsp)
    movq    %rax, XSAVE_HEADER + 56(%rsp)
    movl    PREEMPTED_USED(%rbx), %eax
    movl    PREEMPTED_USED + 4(%rbx), %edx
    xsave64 (%rsp)
    /* The state that a call may expect, with the resumer's control words. The
     * other components have their initial values already. */
    movq    PREEMPTED_INITIAL(%rbx), %rcx
    xrstor64 (%rcx)
    movq    PREEMPTED_CO(%rbx), %rdi
    ldmxcsr CO_MXCSR(%rdi)
    fldcw   CO_FCW(%rdi)
    /* The guest may have been about to yield, with some of these words written
     * and others not. */
    pushq   CO_FP(%rdi)
    pushq   CO_PC(%rdi)
    pushq   CO_SP(%rdi)
    pushq   CO_BX(%rdi)
    call    *PREEMPTED_SUSPEND(%rbx)
    movq    PREEMPTED_CO(%rbx), %rdi
    popq    CO_BX(%rdi)
    popq    CO_SP(%rdi)
    popq    CO_PC(%rdi)
    popq    CO_FP(%rdi)
    /* The guest continues. Components not in use get their initial values. */
    movl    FRAME_UNUSED(%rbp), %eax
    movl    FRAME_UNUSED + 4(%rbp), %edx
    movq    PREEMPTED_INITIAL(%rbx), %rcx
    xrstor64 (%rcx)
    movl    FRAME_USED(%rbp), %eax
    movl    FRAME_USED + 4(%rbp), %edx
    xrstor64 (%rsp)
    leaq    FRAME_R15(%rbp), %rsp
    RESTORE(r15)
    RESTORE(r14)
    RESTORE(r13)
    RESTORE(r12)
    RESTORE(r11)
    RESTORE(r10)
    RESTORE(r9)
    RESTORE(r8)
    RESTORE(rdi)
    RESTORE(rsi)
    RESTORE(rdx)
    RESTORE(rcx)
    RESTORE(rax)
    RESTORE(rbx)
    popfq
    popq    %rbp
    .cfi_def_cfa rsp, RED_ZONE + 8
    .cfi_same_value rbp
    ret     $RED_ZONE
moat_arch_preempted_end:
    .cfi_endproc
END(moat_arch_preempted)

END_OF_FILE
