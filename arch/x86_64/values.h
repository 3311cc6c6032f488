/*
 * values.h: the numbers that the port contract (arch.h, core.h, asm.h) leaves
 * to the CPU. For C and for .S files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_VALUES_H
#define MOAT_ARCH_X86_64_VALUES_H

#define MOAT_ARCH_KNOWS_REGISTERS 1
#define MOAT_ARCH_REDIRECTS       1

/* Bytes below base that the first frame takes. */
#define MOAT_ARCH_FIRST_FRAME_BYTES 176

/* The legacy floating-point image that a signal frame holds (SDM vol. 1,
 * 10.5.1). */
#define MOAT_ARCH_FPU_BYTES 512

/* Registers by their numbers in unwind information (psABI 3.6.2). */
#define MOAT_ARCH_DWARF_REGISTERS 17
#define MOAT_ARCH_DWARF_FP        6
#define MOAT_ARCH_DWARF_SP        7
#define MOAT_ARCH_DWARF_PC        16
#define MOAT_ARCH_DWARF_KEPT      7

/* Registers that reports name. */
#define MOAT_ARCH_REGISTERS 18

/* Registers in struct moat_co besides pc, sp and fp: the resumer's and the
 * coroutine's. */
#define MOAT_ARCH_RECORD_MAP(X) X(resumer_bx) X(bx)

/* The registers that the switch keeps: the coroutine's and the resumer's. */
#define MOAT_ARCH_KEPT_MAP(X) X(fp, resumer_fp) X(bx, resumer_bx)

/* Bytes below the stack pointer that a leaf function may use (psABI 3.2.2). */
#define MOAT_ARCH_RED_ZONE 128

/* The stack pointer of the function that contains it. */
#define MOAT_ARCH_STACK_POINTER()                            \
    __extension__({                                          \
        uintptr_t moat_sp_;                                  \
        __asm__ volatile("movq %%rsp, %0" : "=r"(moat_sp_)); \
        moat_sp_;                                            \
    })

/* Where a function with this frame address finds its return address. */
#define MOAT_ARCH_RETURN_SLOT(frame) ((uintptr_t)(frame) + 8)

/* The stack pointer at a function's entry: a call has pushed a return address
 * below an aligned one (psABI 3.2.2). */
#define MOAT_ARCH_CALLED_SP(sp) (((uintptr_t)(sp) & ~(uintptr_t)15) - 8)

/* A signal frame (struct rt_sigframe in arch/x86/include/asm/sigframe.h of
 * Linux): how its context is aligned, and the bytes of that and of siginfo. */
#define MOAT_ARCH_CONTEXT_ALIGN 16
#define MOAT_ARCH_FRAME_BYTES   432

/* For the handler itself: whether the kernel called it, and no other code with
 * the kernel's context. Its return address, the first word of the frame, then
 * lies just below the context. */
#define MOAT_ARCH_CALLED_BY_KERNEL(ucontext) \
    (__builtin_dwarf_cfa() == (ucontext))

/* Exchanges two blocks of memory, by registers that the system may have left
 * disabled: moat_arch_can_swap_blocks. The upper halves must be clear
 * afterwards, or other code would be slow. */
#define MOAT_ARCH_BLOCK_BYTES ((size_t)64)
#define MOAT_ARCH_BLOCK_ALIGN ((size_t)32)
#define MOAT_ARCH_SWAP_BLOCK(a, b)                \
    __asm__ volatile("vmovdqu (%0), %%ymm0\n\t"   \
                     "vmovdqu 32(%0), %%ymm1\n\t" \
                     "vmovdqu (%1), %%ymm2\n\t"   \
                     "vmovdqu 32(%1), %%ymm3\n\t" \
                     "vmovdqu %%ymm2, (%0)\n\t"   \
                     "vmovdqu %%ymm3, 32(%0)\n\t" \
                     "vmovdqu %%ymm0, (%1)\n\t"   \
                     "vmovdqu %%ymm1, 32(%1)"     \
                     :                            \
                     : "r"(a), "r"(b)             \
                     : "xmm0", "xmm1", "xmm2", "xmm3", "memory")
#define MOAT_ARCH_SWAP_END() __asm__ volatile("vzeroupper")

/* What jumps.S expects of the backend sigaltstack: a struct moat_point, and
 * what lies below one at the most. */
#define MOAT_ARCH_POINT_TOP    0
#define MOAT_ARCH_POINT_VALUE  8
#define MOAT_ARCH_POINT_WORD   16
#define MOAT_ARCH_POINT_CO     24
#define MOAT_ARCH_POINT_BUFFER 40
#define MOAT_ARCH_POINT_BYTES  240
#define MOAT_ARCH_POINT_FRAME  264
#define MOAT_ARCH_POINT_ROOM   1536

/* Of the return address in the root frame. */
#define MOAT_ARCH_IS_ROOT(context) \
    (_Unwind_GetIP(context) == (uintptr_t)moat_root_return)

/* EM_X86_64 of elf.h. */
#define MOAT_ARCH_ELF_MACHINE 62

/* The formatter takes assembler for C. */
/* clang-format off */

/*
 * An indirect branch may land here when indirect-branch tracking is on. The
 * note claims IBT only: shadow stacks (SHSTK) need work in each switch that
 * moat does not do, so claiming them would crash where they are enforced.
 */
#if defined(__CET__) && (__CET__ & 1)
#define LANDING endbr64
#define PROPERTY_NOTE                                                          \
    .section .note.gnu.property, "a";                                          \
    .p2align 3;                                                                \
    .long 4, 16, 5;                                                            \
    .asciz "GNU";                                                              \
    .long 0xc0000002, 4, 1, 0
#else
#define LANDING
#define PROPERTY_NOTE
#endif

/* clang-format on */

#endif
