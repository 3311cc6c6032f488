/*
 * flags.h: the one piece of CPU state that must be repaired before a handler
 * can run C code. Included by arch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_FLAGS_H
#define MOAT_ARCH_X86_64_FLAGS_H

/*
 * A guest may set EFLAGS.AC. The kernel clears DF, TF and RF when it enters a
 * handler but not AC, so the handler's first misaligned access would fault, and
 * its handler's again. The lea steps over the red zone.
 */
static inline void moat_arch_clear_alignment_check(void)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "andl $~0x40000, (%%rsp)\n\t"
                     "popfq\n\t"
                     "leaq 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

#endif
