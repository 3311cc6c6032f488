/*
 * instruction.h: the instruction that a fault interrupted, as far as the CPU
 * does not say what was wrong with it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_INSTRUCTION_H
#define MOAT_ARCH_X86_64_INSTRUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/trap.h>

/* Returns whether user mode may not execute the instruction at pc. False if it
 * cannot be read. Signal-safe: yes. */
bool moat_instruction_is_privileged(uintptr_t pc);

/* Finds the target of a ret, or of a jmp or call through a register; false: the
 * instruction at pc is none of these, or what it needs cannot be read.
 * Signal-safe: yes. */
bool moat_instruction_target(const moat_regs *regs, uintptr_t *target);

/* Returns whether pc is just after a system call. Signal-safe: yes. */
bool moat_instruction_was_syscall(uintptr_t pc);

#endif
