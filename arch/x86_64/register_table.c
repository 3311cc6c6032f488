/*
 * register_table.c: registers by their names in reports, and by their numbers
 * in unwind information (psABI 3.6.2, figure 3.36).
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

const unsigned char moat_arch_dwarf_kept[MOAT_ARCH_DWARF_KEPT] = {
    3, 6, 12, 13, 14, 15, 16};

static const unsigned char offsets[MOAT_ARCH_DWARF_REGISTERS] = {
    offsetof(moat_regs, rax), offsetof(moat_regs, rdx),
    offsetof(moat_regs, rcx), offsetof(moat_regs, rbx),
    offsetof(moat_regs, rsi), offsetof(moat_regs, rdi),
    offsetof(moat_regs, fp),  offsetof(moat_regs, sp),
    offsetof(moat_regs, r8),  offsetof(moat_regs, r9),
    offsetof(moat_regs, r10), offsetof(moat_regs, r11),
    offsetof(moat_regs, r12), offsetof(moat_regs, r13),
    offsetof(moat_regs, r14), offsetof(moat_regs, r15),
    offsetof(moat_regs, pc)};

uintptr_t *moat_arch_dwarf_register(moat_regs *regs, unsigned number)
{
    return (uintptr_t *)(void *)((char *)regs + offsets[number]);
}

#define REGISTER(name, label, field, digits)            \
    {                                                   \
        name, label, offsetof(moat_regs, field), digits \
    }

const struct moat_arch_register moat_arch_registers[MOAT_ARCH_REGISTERS] = {
    REGISTER("rip", "pc", pc, 16),   REGISTER("rsp", "sp", sp, 16),
    REGISTER("rbp", "fp", fp, 16),   REGISTER("rax", "ax", rax, 16),
    REGISTER("rbx", "bx", rbx, 16),  REGISTER("rcx", "cx", rcx, 16),
    REGISTER("rdx", "dx", rdx, 16),  REGISTER("rsi", "si", rsi, 16),
    REGISTER("rdi", "di", rdi, 16),  REGISTER("r8", "r8", r8, 16),
    REGISTER("r9", "r9", r9, 16),    REGISTER("r10", "r10", r10, 16),
    REGISTER("r11", "r11", r11, 16), REGISTER("r12", "r12", r12, 16),
    REGISTER("r13", "r13", r13, 16), REGISTER("r14", "r14", r14, 16),
    REGISTER("r15", "r15", r15, 16), REGISTER("rflags", "flags", flags, 8),
};

/* The flags come first, beside the other special registers. */
const unsigned char moat_arch_register_order[MOAT_ARCH_REGISTERS] = {
    0, 1, 2, 17, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
