/*
 * switching.c: where the library's switches are (switch.S).
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

extern const char moat_switch_begin[], moat_switch_end[];

bool moat_arch_is_switching(const moat_regs *regs)
{
    return regs->pc >= (uintptr_t)moat_switch_begin &&
           regs->pc < (uintptr_t)moat_switch_end;
}
