/*
 * roots_registers.S: switches and a fault with values that are in one register
 * and nowhere else. Each value lies inverted in memory, and is inverted in that
 * register.
 *
 * The plain functions contain the switches of docs/record.md, which push
 * nothing. Those whose name ends in _slow call the library, for builds in which
 * a sanitizer must be told of each switch.
 *
 * SPDX-License-Identifier: MIT
 */
    .text

.macro FUNCTION name
    .globl  \name
    .type   \name, @function
    .p2align 4
\name:
    .cfi_startproc
    .irp    register, rbp, rbx, r12, r13, r14, r15
    pushq   %\register
    .cfi_adjust_cfa_offset 8
    .endr
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
.endm

.macro END name
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    .irp    register, r15, r14, r13, r12, rbx, rbp
    popq    %\register
    .cfi_adjust_cfa_offset -8
    .endr
    ret
    .cfi_endproc
    .size   \name, . - \name
.endm

.macro LOAD register, from
    movq    \from@GOTPCREL(%rip), %\register
    movq    (%\register), %\register
    notq    %\register
.endm

/* void *yield_with_secrets(moat_co *self, void *value) */
FUNCTION yield_with_secrets
    LOAD    rbx, masked_bx
    LOAD    rbp, masked_fp
    leaq    1f(%rip), %rax
    movq    %rbp, 32(%rdi)
    movq    %rax, 40(%rdi)
    movq    %rsp, 48(%rdi)
    movq    %rbx, 56(%rdi)
    movq    72(%rdi), %rcx
    movq    %rcx, 64(%rdi)
    movq    %rsi, %rax
    movl    $1, %edx
    movq    0(%rdi), %rbp
    movq    24(%rdi), %rbx
    movq    16(%rdi), %rsp
    jmp     *8(%rdi)
    nop
1:
    endbr64
END yield_with_secrets

FUNCTION yield_with_secrets_slow
    LOAD    rbx, masked_bx
    LOAD    rbp, masked_fp
    call    moat_co_yield@PLT
END yield_with_secrets_slow

/* int resume_with_secret(moat_co *co, void *input, moat_event *event): 0: the
 * guest has yielded. */
FUNCTION resume_with_secret
    LOAD    rbx, masked_bx
    movq    moat_tls@gottpoff(%rip), %r8
    movq    %fs:(%r8), %rax
    movq    %rax, 80(%rdi)
    movq    %rdi, %fs:(%r8)
    leaq    1f(%rip), %rax
    jmp     *moat_switch_body@GOTPCREL(%rip)
    nop
1:
    endbr64
    movq    moat_tls@gottpoff(%rip), %r8
    movq    80(%rdi), %r9
    movq    %r9, %fs:(%r8)
    leal    -1(%rdx), %eax
END resume_with_secret

FUNCTION resume_with_secret_slow
    LOAD    rbx, masked_bx
    call    moat_co_resume@PLT
END resume_with_secret_slow

/* void fault_with_secret(void) */
FUNCTION fault_with_secret
    LOAD    r13, masked_r13
    movq    %r13, %xmm5
    ud2
END fault_with_secret

    .section .note.GNU-stack, "", @progbits
