/*
 * land_linux.c: the way from a signal handler to a landing, without the kernel.
 *
 * The return from a handler is a system call that restores all registers from
 * the frame, extended state included: a quarter of what a trap costs. A landing
 * needs few of them. What the kernel has changed at the delivery of the signal,
 * besides the registers that a landing loads, is the alternate stack, which is
 * the caller's affair, as the signal mask is, and the rights of protection
 * keys: PKRU is set to its default for the handler.
 *
 * Runs inside handlers. Source: arch/x86/kernel/fpu/signal.c of Linux; Intel
 * SDM vol. 1, 13.4 (the layout of an XSAVE area).
 *
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "arch/arch.h"

/* The software words of the legacy image, and the state bits after it. */
#define SOFTWARE_WORDS 464
#define FP_MAGIC1      0x46505853u
#define XSTATE_BV      512
#define PKRU_BIT       9
#define LEAF_XSAVE     0xd
#define LEAF_FEATURES  7
#define OSPKE          (1u << 4) /* of ecx                                    */

/* The CPU's: 0: not asked yet; ABSENT: it has no PKRU in use. */
static _Atomic uint32_t pkru_offset;
#define ABSENT UINT32_MAX

static uint32_t find_pkru(void)
{
    uint32_t a, b, c, d;

    if (__get_cpuid_count(LEAF_FEATURES, 0, &a, &b, &c, &d) == 0 ||
        (c & OSPKE) == 0 ||
        __get_cpuid_count(LEAF_XSAVE, PKRU_BIT, &a, &b, &c, &d) == 0)
        return ABSENT;
    return b;
}

static uint32_t read_pkru(void)
{
    uint32_t a, d;

    __asm__ volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
    return a;
}

/* Returns whether the interrupted code had the rights that the handler has. */
static bool same_rights(const unsigned char *image)
{
    uint32_t magic,
        rights = 0,
        offset = atomic_load_explicit(&pkru_offset, memory_order_relaxed);
    uint64_t state;

    if (offset == 0) {
        offset = find_pkru();
        atomic_store_explicit(&pkru_offset, offset, memory_order_relaxed);
    }
    if (offset == ABSENT)
        return true;
    memcpy(&magic, image + SOFTWARE_WORDS, sizeof magic);
    if (magic != FP_MAGIC1)
        return false;
    memcpy(&state, image + XSTATE_BV, sizeof state);
    if (state >> PKRU_BIT & 1)
        memcpy(&rights, image + offset, sizeof rights);
    return rights == read_pkru();
}

extern const char moat_arch_landing[]; /* root.S */

bool moat_arch_can_land(const void *ucontext)
{
    const mcontext_t *machine = &((const ucontext_t *)ucontext)->uc_mcontext;

    return machine->gregs[REG_RIP] == (greg_t)(uintptr_t)moat_arch_landing &&
           machine->fpregs != NULL &&
           same_rights((const unsigned char *)machine->fpregs);
}

void moat_arch_land(const void *ucontext)
{
    const greg_t *g = ((const ucontext_t *)ucontext)->uc_mcontext.gregs;

    moat_arch_leave((moat_co *)(uintptr_t)g[REG_RDI], NULL,
                    (uint64_t)g[REG_RDX]);
}
