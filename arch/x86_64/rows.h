/*
 * rows.h: instructions that the .S files share, with their unwind rows.
 *
 * Unwind expressions, decoded (DWARF 4, 2.5 and 6.4.2):
 *
 *   0f len expr       DW_CFA_def_cfa_expression: CFA = value of expr
 *   10 reg len expr   DW_CFA_expression: reg is saved at the address expr
 *   70+r sleb         DW_OP_breg<r>: register r plus offset (75: rdi, 77: rsp)
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
 * The window: rdi is the record, the frame above is the resumer's, and it stays
 * described so while rbp, rbx and rsp are loaded one by one, up to and with the
 * final jmp. The rows are the same as MOAT_WINDOW_OPEN in the header.
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

/* rbp first, so that it stays a chain of frame records. */
#define PUSH_CALLEE_SAVED                                                      \
    pushq %rbp;                                                                \
    .cfi_def_cfa_offset 16;                                                    \
    .cfi_offset rbp, -16;                                                      \
    movq %rsp, %rbp;                                                           \
    .cfi_def_cfa_register rbp;                                                 \
    pushq %rbx;                                                                \
    .cfi_offset rbx, -24;                                                      \
    pushq %r12;                                                                \
    .cfi_offset r12, -32;                                                      \
    pushq %r13;                                                                \
    .cfi_offset r13, -40;                                                      \
    pushq %r14;                                                                \
    .cfi_offset r14, -48;                                                      \
    pushq %r15;                                                                \
    .cfi_offset r15, -56

/* After each pop the register is the caller's again. */
#define POP_CALLEE_SAVED                                                       \
    popq %r15;                                                                 \
    .cfi_same_value r15;                                                       \
    popq %r14;                                                                 \
    .cfi_same_value r14;                                                       \
    popq %r13;                                                                 \
    .cfi_same_value r13;                                                       \
    popq %r12;                                                                 \
    .cfi_same_value r12;                                                       \
    popq %rbx;                                                                 \
    .cfi_same_value rbx;                                                       \
    popq %rbp;                                                                 \
    .cfi_def_cfa rsp, 8;                                                       \
    .cfi_same_value rbp

/* clang-format on */

#endif
