/*
 * frame_linux.c: whether memory is a signal frame that nothing has overwritten.
 *
 * Runs inside handlers, on memory that may be gone.
 *
 * Source: the frame and the extended-state layout in
 * arch/x86/include/uapi/asm/sigcontext.h of Linux.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arch/arch.h"

#include <string.h>
#include <ucontext.h>

/* The software words of the legacy image (struct _fpx_sw_bytes), and the word
 * that ends the extended state. */
#define SOFTWARE_WORDS 464
#define FP_MAGIC1      0x46505853u
#define FP_MAGIC2      0x46505845u

/* More than any CPU's state takes. */
#define IMAGE_BYTES ((uintptr_t)64 << 10)

struct software_words {
    uint32_t magic, bytes; /* of the whole image, with the last word */
};

static bool peek_half(uintptr_t address, uint32_t *out)
{
    uintptr_t word;

    /* In the upper half: what follows the image may not be there. */
    if (!moat_arch_peek(address - sizeof *out, &word))
        return false;
    *out = (uint32_t)(word >> 32);
    return true;
}

/* The image lies above the context and siginfo, and below what was
 * interrupted. Without extended state it has no marks. */
bool moat_arch_frame_is_whole(uintptr_t context, uintptr_t end)
{
    struct software_words words;
    uintptr_t image, word;
    uint32_t last;

    if (!moat_arch_peek(context + offsetof(ucontext_t, uc_mcontext.fpregs),
                        &image) ||
        image < context + MOAT_ARCH_FRAME_BYTES || image >= end ||
        end - image < MOAT_ARCH_FPU_BYTES ||
        image - context > MOAT_ARCH_FRAME_BYTES + 64 ||
        !moat_arch_peek(image + SOFTWARE_WORDS, &word))
        return false;
    memcpy(&words, &word, sizeof words);
    if (words.magic != FP_MAGIC1)
        return true;
    return words.bytes <= IMAGE_BYTES && words.bytes <= end - image &&
           words.bytes > MOAT_ARCH_FPU_BYTES &&
           peek_half(image + words.bytes - sizeof last, &last) &&
           last == FP_MAGIC2;
}
