/*
 * values.h: numbers of a CPU that does not exist: small, and of a kind that the
 * library can compile with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_STUB_VALUES_H
#define MOAT_ARCH_STUB_VALUES_H

#define MOAT_ARCH_KNOWS_REGISTERS 1
#define MOAT_ARCH_REDIRECTS       1

#define MOAT_ARCH_FIRST_FRAME_BYTES 16
#define MOAT_ARCH_FPU_BYTES         16

/* pc, sp, fp */
#define MOAT_ARCH_DWARF_REGISTERS 3
#define MOAT_ARCH_DWARF_FP        2
#define MOAT_ARCH_DWARF_SP        1
#define MOAT_ARCH_DWARF_PC        0
#define MOAT_ARCH_DWARF_KEPT      2
#define MOAT_ARCH_REGISTERS       3

#define MOAT_ARCH_RECORD_MAP(X)

#define MOAT_ARCH_KEPT_MAP(X) X(fp, resumer_fp)

#define MOAT_ARCH_RED_ZONE                   0
#define MOAT_ARCH_CONTEXT_ALIGN              16
#define MOAT_ARCH_FRAME_BYTES                1024
#define MOAT_ARCH_CALLED_BY_KERNEL(ucontext) ((void)(ucontext), false)
/* Of the return address in the root frame. */
#define MOAT_ARCH_IS_ROOT(context) \
    (_Unwind_GetIP(context) == (uintptr_t)moat_root_return)

#define MOAT_ARCH_ELF_MACHINE 0 /* EM_NONE */

#define MOAT_ARCH_STACK_POINTER() ((uintptr_t)__builtin_frame_address(0))

/* Where a function with this frame address finds its return address. */
#define MOAT_ARCH_RETURN_SLOT(frame) ((uintptr_t)(frame))

#define MOAT_ARCH_CALLED_SP(sp) ((uintptr_t)(sp))

/* For .S files. */
#define LANDING
#define PROPERTY_NOTE

#endif
