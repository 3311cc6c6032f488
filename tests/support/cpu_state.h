/*
 * cpu_state.h: checks which parts of the CPU's state a call preserves, bit by
 * bit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_CPU_STATE_H
#define TESTS_SUPPORT_CPU_STATE_H

#include <stdint.h>

/* cpu_state.S relies on this layout. */
struct cpu_state {
    /*  0 */ uint64_t rbx, rbp, r12, r13, r14, r15;
    /* 48 */ uint64_t rsp;
    /* 56 */ uint64_t flags;
    /* 64 */ uint32_t mxcsr;
    /* 68 */ uint16_t fcw;
    /* 70 */ uint16_t fsw;
    /* 72 */ uint16_t ftw; /* the full tag word: 0xffff is an empty stack */
    /* 74 */ uint16_t reserved[3];
};

/* RFLAGS except CF, PF, AF, ZF, SF and OF, which a call may change. */
#define CPU_FLAGS_KEPT (~(uint64_t)0x8d5)

/* Calls fn(arg) with a pattern in every callee-saved register. Records the
 * state right before and right after the call. */
void cpu_watch(void (*fn)(void *), void *arg, struct cpu_state *before,
               struct cpu_state *after);

/* Expects that `after` keeps what the psABI and moat_co_resume promise. */
void cpu_expect_kept(const struct cpu_state *before,
                     const struct cpu_state *after);

/* Sets the SSE and x87 control words of this thread. */
void cpu_set_fp_mode(uint32_t mxcsr, uint16_t fcw);

#define CPU_MXCSR_DEFAULT 0x1f80u
#define CPU_FCW_DEFAULT   0x037fu

#endif
