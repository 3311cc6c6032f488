/*
 * core.h: the CPU's part of a core file. Part of the port contract (arch.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_CORE_H
#define MOAT_ARCH_CORE_H

#include <sys/procfs.h>

#include "arch/arch.h"

/* e_machine of the file. */
extern const uint16_t moat_arch_core_machine;

/* The registers of a trap as the kernel orders them (NT_PRSTATUS). */
void moat_arch_core_regs(const moat_regs *regs, elf_gregset_t out);

/* The same of the floating-point image of a trap (NT_FPREGSET). */
void moat_arch_core_fpregs(const unsigned char image[MOAT_ARCH_FPU_BYTES],
                           elf_fpregset_t *out);

/* Makes a copy of a control record lead to a frame of those registers, or, with
 * zeros, nowhere. */
void moat_arch_core_resumer(moat_co *copy, const moat_regs *frame);

/* Where a thread's own variables are. */
uintptr_t moat_arch_thread_pointer(void);

/* Bytes below the stack pointer that a function may use. */
#define MOAT_ARCH_RED_ZONE 128

#endif
