/*
 * dwarf.c: registers by their numbers in unwind information (psABI 3.6.2,
 * figure 3.36).
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
