/*
 * values.h: the numbers that the port contract (arch.h, core.h) leaves to the
 * CPU, where the CPU is not known. For C and for .S files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_GENERIC_VALUES_H
#define MOAT_ARCH_GENERIC_VALUES_H

#define MOAT_ARCH_KNOWS_REGISTERS 0
#define MOAT_ARCH_REDIRECTS       0

#define MOAT_ARCH_FIRST_FRAME_BYTES 16

/* The image is the head of the context, unread, in which a collector finds the
 * registers of a guest. */
#define MOAT_ARCH_FPU_BYTES 512

/* Of no unwind information. */
#define MOAT_ARCH_DWARF_REGISTERS 3
#define MOAT_ARCH_DWARF_PC        0
#define MOAT_ARCH_DWARF_SP        1
#define MOAT_ARCH_DWARF_FP        2
#define MOAT_ARCH_DWARF_KEPT      2

#define MOAT_ARCH_REGISTERS 2

#define MOAT_ARCH_RECORD_MAP(X)
#define MOAT_ARCH_KEPT_MAP(X) X(fp, resumer_fp)

/* More than the red zone of any CPU that Linux runs on (288 bytes in the ELF v2
 * ABI of POWER), and the frames that a point does not count. */
#define MOAT_ARCH_RED_ZONE 512

/* The frame address of a call is at or below the caller's stack pointer. */
#define MOAT_ARCH_STACK_POINTER() (moat_arch_callee_frame())

/* No portable way finds a return address. A word of its own does as well: it
 * stays as it is until the function returns. */
#define MOAT_ARCH_RETURN_SLOT(frame) \
    ((void)(frame), moat_arch_mark(__builtin_alloca(sizeof(uintptr_t))))

#define MOAT_ARCH_CALLED_SP(sp) ((uintptr_t)(sp) & ~(uintptr_t)63)

/* The words that a live frame is known by end there, and the kernel's context
 * not before. */
#define MOAT_ARCH_CONTEXT_ALIGN 16
#define MOAT_ARCH_FRAME_BYTES   128

/* No portable way tells. */
#define MOAT_ARCH_CALLED_BY_KERNEL(ucontext) ((void)(ucontext), false)

/* Without a known return address: by the function. */
#define MOAT_ARCH_IS_ROOT(context) \
    (_Unwind_GetRegionStart(context) == (uintptr_t)moat_arch_enter_root)

#define MOAT_ARCH_ELF_MACHINE (moat_arch_elf_machine())

/* For .S files. */
#define LANDING
#define PROPERTY_NOTE

#ifndef __ASSEMBLER__
#    include <stdint.h>

uintptr_t moat_arch_callee_frame(void);
uintptr_t moat_arch_mark(void *word);
uint16_t moat_arch_elf_machine(void);
#endif

#endif
