/*
 * cpu_state.c: compares two records of the CPU's state.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cpu_state.h"

#include <stddef.h>

#include "fixture.h"

_Static_assert(offsetof(struct cpu_state, rsp) == 48, "cpu_state.S disagrees");
_Static_assert(offsetof(struct cpu_state, mxcsr) == 64,
               "cpu_state.S disagrees");
_Static_assert(offsetof(struct cpu_state, ftw) == 72, "cpu_state.S disagrees");

void cpu_expect_kept(const struct cpu_state *before,
                     const struct cpu_state *after)
{
    EXPECT_EQ(after->rbx, before->rbx);
    EXPECT_EQ(after->rbp, before->rbp);
    EXPECT_EQ(after->r12, before->r12);
    EXPECT_EQ(after->r13, before->r13);
    EXPECT_EQ(after->r14, before->r14);
    EXPECT_EQ(after->r15, before->r15);
    EXPECT_EQ(after->rsp, before->rsp);
    EXPECT_EQ(after->flags & CPU_FLAGS_KEPT, before->flags & CPU_FLAGS_KEPT);
    EXPECT_EQ(after->mxcsr, before->mxcsr);
    EXPECT_EQ(after->fcw, before->fcw);
    EXPECT_EQ(after->fsw, 0);
    EXPECT_EQ(after->ftw, 0xffff);
}

void cpu_set_fp_mode(uint32_t mxcsr, uint16_t fcw)
{
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(fcw));
}
