/*
 * core.h: the CPU's part of a core file. Part of the port contract (arch.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_CORE_H
#define MOAT_ARCH_CORE_H

#include <sys/procfs.h>

#include "arch/arch.h"

/* Stores the registers of a trap in the kernel's order (NT_PRSTATUS). */
void moat_arch_core_regs(const moat_regs *regs, elf_gregset_t out);

/* The same for the floating-point image of a trap (NT_FPREGSET). */
void moat_arch_core_fpregs(const unsigned char image[MOAT_ARCH_FPU_BYTES],
                           elf_fpregset_t *out);

/* Makes a frame with those registers the resumer's in a copy of a control
 * record; zeros: it has none. */
void moat_arch_core_resumer(moat_co *copy, const moat_regs *frame);

/* Returns the address by which the calling thread finds its own variables. */
uintptr_t moat_arch_thread_pointer(void);

#endif
