/*
 * peek.S: a load that may fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/asm.h"

    .text

/* ---------------------------------------------------------------------------
 * moat_arch_peek(address, out): returns 1 with the word in *out. If the load
 * faults, moat_arch_fix_peek continues at moat_peek_failed, which returns 0.
 */
    .hidden moat_arch_peek
FUNCTION(moat_arch_peek)
    .cfi_startproc
    LANDING
    .globl  moat_peek_load
    .hidden moat_peek_load
moat_peek_load:
    movq    (%rdi), %rdx
    movl    $1, %eax
    movq    %rdx, (%rsi)
    ret
    .globl  moat_peek_failed
    .hidden moat_peek_failed
moat_peek_failed:
    xorl    %eax, %eax
    ret
    .cfi_endproc
END(moat_arch_peek)

END_OF_FILE
