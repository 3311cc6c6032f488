/*
 * preempted_cpu.S: code that is preempted, with a known value in every part of
 * the CPU's state; and code that destroys all of it.
 *
 * SPDX-License-Identifier: MIT
 */

/* struct cpu_image */
#define IMAGE_REGS   0        /* rax rcx rdx rbx rbp rsi rdi r8 ... r15 */
#define IMAGE_FLAGS  120
#define IMAGE_RED    128      /* 16 words */
#define IMAGE_STATE  256      /* the address of an XSAVE area */
#define IMAGE_PARTS  264

    .text

/* void preempted_run(const struct cpu_image *in, struct cpu_image *out): loads
 * `in`, runs the code at preempted_body, which jumps to *preempted_back, and
 * stores what is left in `out`. */
    .globl  preempted_run
    .type   preempted_run, @function
preempted_run:
    .cfi_startproc
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    pushq   %rbx
    .cfi_def_cfa_offset 24
    .cfi_offset rbx, -24
    pushq   %r12
    .cfi_def_cfa_offset 32
    .cfi_offset r12, -32
    pushq   %r13
    .cfi_def_cfa_offset 40
    .cfi_offset r13, -40
    pushq   %r14
    .cfi_def_cfa_offset 48
    .cfi_offset r14, -48
    pushq   %r15
    .cfi_def_cfa_offset 56
    .cfi_offset r15, -56
    pushq   %rsi
    .cfi_def_cfa_offset 64
    movl    IMAGE_PARTS(%rdi), %eax
    movl    IMAGE_PARTS + 4(%rdi), %edx
    movq    IMAGE_STATE(%rdi), %rcx
    xrstor64 (%rcx)
    pushq   IMAGE_FLAGS(%rdi)
    popfq
    .set    i, 0
    .rept   16
    movq    IMAGE_RED + 8 * i(%rdi), %rax
    movq    %rax, -8 * (i + 1)(%rsp)
    .set    i, i + 1
    .endr
    movq    IMAGE_REGS + 0(%rdi), %rax
    movq    IMAGE_REGS + 8(%rdi), %rcx
    movq    IMAGE_REGS + 16(%rdi), %rdx
    movq    IMAGE_REGS + 24(%rdi), %rbx
    movq    IMAGE_REGS + 32(%rdi), %rbp
    movq    IMAGE_REGS + 40(%rdi), %rsi
    movq    IMAGE_REGS + 56(%rdi), %r8
    movq    IMAGE_REGS + 64(%rdi), %r9
    movq    IMAGE_REGS + 72(%rdi), %r10
    movq    IMAGE_REGS + 80(%rdi), %r11
    movq    IMAGE_REGS + 88(%rdi), %r12
    movq    IMAGE_REGS + 96(%rdi), %r13
    movq    IMAGE_REGS + 104(%rdi), %r14
    movq    IMAGE_REGS + 112(%rdi), %r15
    movq    IMAGE_REGS + 48(%rdi), %rdi
    jmp     *preempted_body(%rip)
    .globl  preempted_end
preempted_end:
    leaq    -128(%rsp), %rsp
    pushfq
    pushq   %rdi
    cld
    movq    128 + 16(%rsp), %rdi        /* out */
    movq    %rax, IMAGE_REGS + 0(%rdi)
    movq    %rcx, IMAGE_REGS + 8(%rdi)
    movq    %rdx, IMAGE_REGS + 16(%rdi)
    movq    %rbx, IMAGE_REGS + 24(%rdi)
    movq    %rbp, IMAGE_REGS + 32(%rdi)
    movq    %rsi, IMAGE_REGS + 40(%rdi)
    movq    %r8, IMAGE_REGS + 56(%rdi)
    movq    %r9, IMAGE_REGS + 64(%rdi)
    movq    %r10, IMAGE_REGS + 72(%rdi)
    movq    %r11, IMAGE_REGS + 80(%rdi)
    movq    %r12, IMAGE_REGS + 88(%rdi)
    movq    %r13, IMAGE_REGS + 96(%rdi)
    movq    %r14, IMAGE_REGS + 104(%rdi)
    movq    %r15, IMAGE_REGS + 112(%rdi)
    popq    IMAGE_REGS + 48(%rdi)
    popq    IMAGE_FLAGS(%rdi)
    leaq    128(%rsp), %rsp
    movl    IMAGE_PARTS(%rdi), %eax
    movl    IMAGE_PARTS + 4(%rdi), %edx
    movq    IMAGE_STATE(%rdi), %rcx
    xsave64 (%rcx)
    .set    i, 0
    .rept   16
    movq    -8 * (i + 1)(%rsp), %rax
    movq    %rax, IMAGE_RED + 8 * i(%rdi)
    .set    i, i + 1
    .endr
    popq    %rsi
    .cfi_def_cfa_offset 56
    popq    %r15
    popq    %r14
    popq    %r13
    popq    %r12
    popq    %rbx
    popq    %rbp
    .cfi_def_cfa_offset 8
    jmp     preempted_clean
    .cfi_endproc
    .size   preempted_run, . - preempted_run

/* void preempted_destroy(const struct cpu_image *with): leaves nothing of the
 * state but what a call preserves. */
    .globl  preempted_destroy
    .type   preempted_destroy, @function
preempted_destroy:
    .cfi_startproc
    movl    IMAGE_PARTS(%rdi), %eax
    movl    IMAGE_PARTS + 4(%rdi), %edx
    movq    IMAGE_STATE(%rdi), %rcx
    xrstor64 (%rcx)
    movq    $-1, %rax
    movq    %rax, %rcx
    movq    %rax, %rdx
    movq    %rax, %rsi
    movq    %rax, %rdi
    movq    %rax, %r8
    movq    %rax, %r9
    movq    %rax, %r10
    movq    %rax, %r11
preempted_clean:
    fninit
    pushq   $0x1f80
    .cfi_adjust_cfa_offset 8
    ldmxcsr (%rsp)
    popq    %rax
    .cfi_adjust_cfa_offset -8
    cld
    ret
    .cfi_endproc
    .size   preempted_destroy, . - preempted_destroy

    .section .note.GNU-stack, "", @progbits
