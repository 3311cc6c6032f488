/*
 * preempt_linux.c: leads an interrupted guest to preempt.S.
 *
 * Everything but moat_arch_can_preempt runs inside handlers.
 *
 * Sources: Intel SDM vol. 1, chapter 13 (XSAVE); arch/x86/include/uapi/asm/
 * sigcontext.h of Linux (the extended state in a signal frame, which has the
 * standard format).
 *
 * SPDX-License-Identifier: MIT
 */
#include <cpuid.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "arch/arch.h"
#include "arch/x86_64/layout.h"

#define FP_MAGIC1      0x46505853u
#define SOFTWARE_WORDS 464
#define XSTATE_BV      512
#define LEGACY_BYTES   (512 + 64) /* with the header                          */
#define X87_SSE        UINT64_C(3)
#define PKRU           (UINT64_C(1) << 9)
#define FIRST_EXTENDED 2
#define COMPONENTS     63

#define LEAF_FEATURES 1
#define LEAF_XSAVE    0xd
#define OSXSAVE       (1u << 27) /* of ecx                                    */

#define CODE_64_BIT 0x33
#define FLAG_DF     (UINT64_C(1) << 10)
#define FLAG_AC     (UINT64_C(1) << 18)

/* Pushed by the stub besides the state, and lost by aligning. */
#define FRAME_BYTES (23 * 8 + 64)

#define WORD(field, offset)                                               \
    _Static_assert(offsetof(struct moat_arch_preempted, field) == offset, \
                   "layout.h")
WORD(bx, PREEMPTED_BX);
WORD(pc, PREEMPTED_PC);
WORD(sp, PREEMPTED_SP);
WORD(flags, PREEMPTED_FLAGS);
WORD(used, PREEMPTED_USED);
WORD(unused, PREEMPTED_UNUSED);
WORD(bytes, PREEMPTED_BYTES);
WORD(co, PREEMPTED_CO);
WORD(suspend, PREEMPTED_SUSPEND);
WORD(initial, PREEMPTED_INITIAL);

extern const char moat_arch_preempted[], moat_arch_preempted_end[];

/* An XSAVE area in which every component has its initial value. All of them
 * must fit (with Intel's AMX they take 11 KiB). MXCSR is loaded from it even so
 * (SDM vol. 1, 13.8.1). */
#define INITIAL_BYTES 32768
#define MXCSR_OFFSET  24
#define MXCSR_INITIAL 0x1f80u
static _Alignas(64) unsigned char initial[INITIAL_BYTES];

/* The components that the system has enabled (0: not read yet, or none), and
 * the offset at which each one ends in the standard format. Several threads may
 * store these at once, all with the same values; the mask is stored last. */
static _Atomic uint64_t enabled;
static uint32_t ends[COMPONENTS];

static uint64_t read_xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* PKRU is left out: memory rights belong to the thread, and a switch keeps
 * them.
 */
static uint64_t find_components(void)
{
    const uint32_t mxcsr = MXCSR_INITIAL;
    uint32_t a, b, c, d;
    uint64_t found;

    if (__get_cpuid(LEAF_FEATURES, &a, &b, &c, &d) == 0 || (c & OSXSAVE) == 0)
        return 0;
    found = read_xcr0() & ~PKRU;
    if (__get_cpuid_count(LEAF_XSAVE, 0, &a, &b, &c, &d) == 0 ||
        b > INITIAL_BYTES)
        return 0;
    memcpy(initial + MXCSR_OFFSET, &mxcsr, sizeof mxcsr);
    for (unsigned i = FIRST_EXTENDED; i < COMPONENTS; i++) {
        if ((found >> i & 1) != 0 &&
            __get_cpuid_count(LEAF_XSAVE, i, &a, &b, &c, &d) != 0)
            ends[i] = b + a;
    }
    return found;
}

bool moat_arch_can_preempt(void)
{
    if (atomic_load_explicit(&enabled, memory_order_acquire) == 0)
        atomic_store_explicit(&enabled, find_components(),
                              memory_order_release);
    return atomic_load_explicit(&enabled, memory_order_relaxed) != 0;
}

/* Returns the components that the guest has in use; 0: the frame does not say,
 * or the guest runs in 32-bit code. */
static uint64_t components_in_use(const ucontext_t *uc)
{
    const unsigned char *image = (const unsigned char *)uc->uc_mcontext.fpregs;
    uint64_t state;
    uint32_t magic;

    if (image == NULL ||
        (uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff) != CODE_64_BIT)
        return 0;
    memcpy(&magic, image + SOFTWARE_WORDS, sizeof magic);
    if (magic != FP_MAGIC1)
        return 0;
    memcpy(&state, image + XSTATE_BV, sizeof state);
    return (state | X87_SSE) &
           atomic_load_explicit(&enabled, memory_order_relaxed);
}

static size_t state_bytes(uint64_t used)
{
    size_t bytes = LEGACY_BYTES;

    for (unsigned i = FIRST_EXTENDED; i < COMPONENTS; i++) {
        if ((used >> i & 1) != 0 && ends[i] > bytes)
            bytes = ends[i];
    }
    return bytes;
}

size_t moat_arch_preempt_bytes(const void *ucontext)
{
    uint64_t used = components_in_use(ucontext);

    return used != 0 ? MOAT_ARCH_RED_ZONE + FRAME_BYTES + state_bytes(used) : 0;
}

void moat_arch_preempt(void *ucontext, struct moat_arch_preempted *words)
{
    ucontext_t *uc = ucontext;
    greg_t *g = uc->uc_mcontext.gregs;

    words->bx = (uintptr_t)g[REG_RBX];
    words->pc = (uintptr_t)g[REG_RIP];
    words->sp = (uintptr_t)g[REG_RSP];
    words->flags = (uintptr_t)g[REG_EFL];
    words->used = components_in_use(uc);
    words->unused =
        atomic_load_explicit(&enabled, memory_order_relaxed) & ~words->used;
    words->bytes = state_bytes(words->used);
    words->initial = initial;
    g[REG_RBX] = (greg_t)(uintptr_t)words;
    g[REG_RSP] -= MOAT_ARCH_RED_ZONE;
    g[REG_RIP] = (greg_t)(uintptr_t)moat_arch_preempted;
    g[REG_EFL] &= ~(greg_t)(FLAG_DF | FLAG_AC);
}

bool moat_arch_is_preempting(const moat_regs *regs)
{
    return regs->pc >= (uintptr_t)moat_arch_preempted &&
           regs->pc < (uintptr_t)moat_arch_preempted_end;
}
