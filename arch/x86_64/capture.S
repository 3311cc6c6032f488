/*
 * capture.S: registers that C cannot access: the caller's, and its flags.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"
#include "arch/x86_64/layout.h"

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_capture(out): stores the caller's registers, as they are after the
 * return. rax goes first: it then carries the pc and rsp of the caller.
 */
    .hidden moat_arch_capture
FUNCTION(moat_arch_capture)
    .cfi_startproc
    LANDING
    movq    %rax, REGS_RAX(%rdi)
    movq    (%rsp), %rax
    movq    %rax, REGS_PC(%rdi)
    leaq    8(%rsp), %rax
    movq    %rax, REGS_SP(%rdi)
    movq    %rbp, REGS_FP(%rdi)
    movq    %rbx, REGS_RBX(%rdi)
    movq    %rcx, REGS_RCX(%rdi)
    movq    %rdx, REGS_RDX(%rdi)
    movq    %rsi, REGS_RSI(%rdi)
    movq    %rdi, REGS_RDI(%rdi)
    movq    %r8, REGS_R8(%rdi)
    movq    %r9, REGS_R9(%rdi)
    movq    %r10, REGS_R10(%rdi)
    movq    %r11, REGS_R11(%rdi)
    movq    %r12, REGS_R12(%rdi)
    movq    %r13, REGS_R13(%rdi)
    movq    %r14, REGS_R14(%rdi)
    movq    %r15, REGS_R15(%rdi)
    pushfq
    .cfi_adjust_cfa_offset 8
    popq    REGS_FLAGS(%rdi)
    .cfi_adjust_cfa_offset -8
    stmxcsr REGS_MXCSR(%rdi)
    fnstcw  REGS_FCW(%rdi)
    fnstsw  REGS_FSW(%rdi)
    ret
    .cfi_endproc
END(moat_arch_capture)

/* ---------------------------------------------------------------------------
 * moat_arch_enter_handler(void): a guest may set EFLAGS.AC. The kernel
 * clears DF, TF and RF when it enters a handler but not AC, so the handler's
 * first misaligned access would fault, and that of the next handler again. NT
 * is cleared, too: after the handler returns it is as the handler left it
 * (FIX_EFLAGS of Linux's arch/x86/include/asm/sighandling.h does not name it).
 *
 * A function, not inline asm: a push needs unwind rows, which inline asm cannot
 * add in the middle of a C function.
 */
    .hidden moat_arch_enter_handler
FUNCTION(moat_arch_enter_handler)
    .cfi_startproc
    LANDING
    pushfq
    .cfi_adjust_cfa_offset 8
    andl    $~0x44000, (%rsp)
    popfq
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
END(moat_arch_enter_handler)

END_OF_FILE
