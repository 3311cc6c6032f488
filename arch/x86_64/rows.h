/*
 * rows.h: instructions that the .S files share, with their unwind rows.
 *
 * Unwind expressions, decoded (DWARF 4, 2.5 and 6.4.2):
 *
 *   0f len expr       DW_CFA_def_cfa_expression: CFA = value of expr
 *   10 reg len expr   DW_CFA_expression: reg is saved at the address expr
 *   70+r sleb         DW_OP_breg<r>: register r plus offset (73: rbx, 75: rdi,
 *                     77: rsp)
 *   06                DW_OP_deref     23 uleb   DW_OP_plus_uconst
 *   registers: 3 rbx, 6 rbp, 7 rsp, 16 return address
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_ROWS_H
#define MOAT_ARCH_X86_64_ROWS_H

/* The formatter takes assembler for C. */
/* clang-format off */

/*
 * The window: rdi is the record, and the frame above is the resumer's. These
 * rows describe it while rbp, rbx and rsp are loaded one by one, up to and
 * including the final jmp. They are those of MOAT_WINDOW_OPEN in the public
 * header.
 */
#define WINDOW                                                                 \
    .cfi_escape 0x0f, 0x03, 0x75, 0x10, 0x06;                                  \
    .cfi_escape 0x10, 0x06, 0x02, 0x75, 0x00;                                  \
    .cfi_escape 0x10, 0x10, 0x02, 0x75, 0x08;                                  \
    .cfi_escape 0x10, 0x03, 0x02, 0x75, 0x18;                                  \
    .cfi_undefined r12;                                                        \
    .cfi_undefined r13;                                                        \
    .cfi_undefined r14;                                                        \
    .cfi_undefined r15

/*
 * The frame of a function that switches: what the caller wants preserved and
 * the switch does not keep. rbx is in the record, and unchanged until then. rbp
 * goes first and forms a frame record with the return address.
 */
#define PUSH_FRAME                                                             \
    pushq %rbp;                                                                \
    .cfi_def_cfa_offset 16;                                                    \
    .cfi_offset rbp, -16;                                                      \
    pushq %r12;                                                                \
    .cfi_def_cfa_offset 24;                                                    \
    .cfi_offset r12, -24;                                                      \
    pushq %r13;                                                                \
    .cfi_def_cfa_offset 32;                                                    \
    .cfi_offset r13, -32;                                                      \
    pushq %r14;                                                                \
    .cfi_def_cfa_offset 40;                                                    \
    .cfi_offset r14, -40;                                                      \
    pushq %r15;                                                                \
    .cfi_def_cfa_offset 48;                                                    \
    .cfi_offset r15, -48;                                                      \
    leaq 32(%rsp), %rbp;                                                       \
    .cfi_def_cfa rbp, 16

/* After each pop the register has the caller's value again. */
#define POP_FRAME                                                              \
    popq %r15;                                                                 \
    .cfi_same_value r15;                                                       \
    popq %r14;                                                                 \
    .cfi_same_value r14;                                                       \
    popq %r13;                                                                 \
    .cfi_same_value r13;                                                       \
    popq %r12;                                                                 \
    .cfi_same_value r12;                                                       \
    popq %rbp;                                                                 \
    .cfi_def_cfa rsp, 8;                                                       \
    .cfi_same_value rbp

/* clang-format on */

#endif
