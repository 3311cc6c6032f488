/*
 * crimes_cpu.S: guests that fault at one known instruction.
 *
 * Each is a guest's body: rdi is the coroutine, rsi the struct scene, whose
 * first words are the target and the base of the guest's stack. AT defines the
 * label that the trap record's pc must equal.
 *
 * SPDX-License-Identifier: MIT
 */

#define TARGET 0(%rsi)
#define BASE   8(%rsi)

.macro CRIME name
    .globl  crime_\name
    .type   crime_\name, @function
crime_\name:
    .cfi_startproc
    endbr64
.endm

.macro AT name
    .globl  crime_\name\()_pc
crime_\name\()_pc:
.endm

.macro END name
    ud2
    .cfi_endproc
    .size   crime_\name, . - crime_\name
.endm

/* Sets bits of RFLAGS. */
.macro RAISE_FLAGS bits
    pushfq
    orl     $\bits, (%rsp)
    popfq
.endm

    .text

/* Memory. */

CRIME read_target
    movq    TARGET, %rax
AT read_target
    movl    (%rax), %ecx
END read_target

CRIME write_target
    movq    TARGET, %rax
AT write_target
    movl    $1, (%rax)
END write_target

CRIME jump_target
    movq    TARGET, %rax
AT jump_target
    jmp     *%rax
END jump_target

CRIME call_target
    movq    TARGET, %rax
AT call_target
    call    *%rax
END call_target

CRIME movaps_misaligned
AT movaps_misaligned
    movaps  1(%rsp), %xmm0
END movaps_misaligned

/* To compatibility mode: 0x23 is Linux's selector for 32-bit user code. */
CRIME enter_32_bit
    movq    TARGET, %rax
    pushq   $0x23
    pushq   %rax
AT enter_32_bit
    lretq
END enter_32_bit

/* Arithmetic. */

CRIME divide_by_zero
    xorl    %ecx, %ecx
    movl    $1, %eax
    cltd
AT divide_by_zero
    idivl   %ecx
END divide_by_zero

CRIME divide_int_min
    movl    $0x80000000, %eax
    cltd
    movl    $-1, %ecx
AT divide_int_min
    idivl   %ecx
END divide_int_min

/* 1.0 / 0.0 with the SSE divide-by-zero exception unmasked. */
CRIME sse_divide
    pushq   $0x1d80
    ldmxcsr (%rsp)
    movl    $0x3f800000, %eax
    movd    %eax, %xmm0
    xorps   %xmm1, %xmm1
AT sse_divide
    divss   %xmm1, %xmm0
END sse_divide

/* 0.0 / 0.0 with the SSE invalid-operation exception unmasked. */
CRIME sse_invalid
    pushq   $0x1f00
    ldmxcsr (%rsp)
    xorps   %xmm0, %xmm0
    xorps   %xmm1, %xmm1
AT sse_invalid
    divss   %xmm1, %xmm0
END sse_invalid

/* The x87 reports the exception at the next waiting instruction. */
CRIME x87_divide
    pushq   $0x037b
    fldcw   (%rsp)
    fldz
    fld1
    fdiv    %st(1), %st
AT x87_divide
    fwait
END x87_divide

/* Instructions. */

CRIME ud2
AT ud2
    ud2
END ud2

/* The pc of a breakpoint is the address after it. */
CRIME int3
    int3
AT int3
    nop
END int3

CRIME int1
    .byte   0xf1
AT int1
    nop
END int1

CRIME hlt
AT hlt
    hlt
END hlt

CRIME cli
AT cli
    cli
END cli

CRIME port_in
    movl    $0x80, %edx
AT port_in
    inb     %dx, %al
END port_in

CRIME int_0x81
AT int_0x81
    int     $0x81
END int_0x81

CRIME read_cr0
AT read_cr0
    movq    %cr0, %rax
END read_cr0

/* Flags and modes that the host must not inherit. */

CRIME alignment_check
    RAISE_FLAGS 0x40000
AT alignment_check
    movl    1(%rsp), %eax
END alignment_check

CRIME direction_flag
    std
    xorl    %eax, %eax
AT direction_flag
    movl    $1, (%rax)
END direction_flag

/* AC, NT and DF together; the handler itself runs with AC set until it clears it. */
CRIME every_flag
    xorl    %eax, %eax
    RAISE_FLAGS 0x44400
AT every_flag
    movl    $1, (%rax)
END every_flag

/* The trap comes after the instruction that follows popf. */
CRIME trap_flag
    RAISE_FLAGS 0x100
    nop
AT trap_flag
    nop
END trap_flag

CRIME x87_full
    .rept 8
    fld1
    .endr
    xorl    %eax, %eax
AT x87_full
    movl    $1, (%rax)
END x87_full

CRIME mmx_used
    xorl    %eax, %eax
    movd    %eax, %mm0
    movd    %eax, %mm7
AT mmx_used
    movl    $1, (%rax)
END mmx_used

/* A pending unmasked x87 exception that no instruction has reported yet. */
CRIME x87_pending
    pushq   $0x037b
    fldcw   (%rsp)
    fldz
    fld1
    fdiv    %st(1), %st
    xorl    %eax, %eax
AT x87_pending
    movl    $1, (%rax)
END x87_pending

CRIME fp_modes
    pushq   $0xdfc0
    ldmxcsr (%rsp)
    movq    $0x0c7f, (%rsp)
    fldcw   (%rsp)
    xorl    %eax, %eax
AT fp_modes
    movl    $1, (%rax)
END fp_modes

/* Every register holds a distinct value; test_traps.c has the list. */
CRIME patterned_registers
    pushq   $0x9fc0
    ldmxcsr (%rsp)
    movq    $0x067f, (%rsp)
    fldcw   (%rsp)
    movl    $0x18, %eax
    movabsq $0x0101010101010101, %rbx
    movabsq $0x0202020202020202, %rcx
    movabsq $0x0303030303030303, %rdx
    movabsq $0x0404040404040404, %rsi
    movabsq $0x0505050505050505, %rdi
    movabsq $0x0606060606060606, %rbp
    movabsq $0x0808080808080808, %r8
    movabsq $0x0909090909090909, %r9
    movabsq $0x1010101010101010, %r10
    movabsq $0x1111111111111111, %r11
    movabsq $0x1212121212121212, %r12
    movabsq $0x1313131313131313, %r13
    movabsq $0x1414141414141414, %r14
    movabsq $0x1515151515151515, %r15
    stc
AT patterned_registers
    movl    $1, (%rax)
END patterned_registers

/* Stack and frame pointers. */

CRIME push_on_target
    movq    TARGET, %rsp
AT push_on_target
    pushq   %rax
END push_on_target

CRIME null_write_on_target
    movq    TARGET, %rsp
    xorl    %eax, %eax
AT null_write_on_target
    movl    $1, (%rax)
END null_write_on_target

CRIME smashed_rbp
    movabsq $0x4242424242424242, %rbp
    xorl    %eax, %eax
AT smashed_rbp
    movl    $1, (%rax)
END smashed_rbp

/* Fills the stack up to its base with 'A' and returns to the address read
 * there. */
CRIME return_to_garbage
    movq    BASE, %rcx
    subq    %rsp, %rcx
    movq    %rsp, %rdi
    movl    $0x41, %eax
    rep stosb
AT return_to_garbage
    ret
END return_to_garbage

CRIME return_to_zero
    movq    BASE, %rcx
    subq    %rsp, %rcx
    movq    %rsp, %rdi
    xorl    %eax, %eax
    rep stosb
AT return_to_zero
    ret
END return_to_zero

/* Writes upward past the base until it faults. */
CRIME write_upward
    movq    $-1, %rcx
    movq    %rsp, %rdi
    movl    $0x41, %eax
AT write_upward
    rep stosb
END write_upward

CRIME endless_calls
AT endless_calls
    call    crime_endless_calls_pc
END endless_calls

CRIME endless_pushes
AT endless_pushes
    pushq   %rax
    jmp     crime_endless_pushes_pc
END endless_pushes

    .section .note.GNU-stack, "", @progbits
