/*
 * swap.c: whether memory can be exchanged by the registers of AVX.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <cpuid.h>

#define LEAF_FEATURES 1u
#define NEEDED        (1u << 27 | 1u << 28) /* OSXSAVE, AVX */
#define ENABLED       6u                    /* SSE and AVX state, in XCR0 */

bool moat_arch_can_swap_blocks(void)
{
    uint32_t a, b, c, d;

    if (__get_cpuid(LEAF_FEATURES, &a, &b, &c, &d) == 0 ||
        (c & NEEDED) != NEEDED)
        return false;
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & ENABLED) == ENABLED;
}
