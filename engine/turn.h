/*
 * turn.h: the usual turn on a stack that coroutines share (copied.h): the one
 * that comes in waits where the occupant does. That is what most are, where
 * many wait in the same yield. One pass exchanges the frames of both, so the
 * image of the one becomes that of the other, and no memory is taken or given.
 *
 * A turn of some frames takes few nanoseconds, most of which are stores: this
 * is inline, and saves no register.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_TURN_H
#define MOAT_ENGINE_TURN_H

#include "engine/copied.h"

/* Frames and images are aligned to words. */
typedef uintptr_t moat_two_words __attribute__((
    vector_size(2 * sizeof(uintptr_t)), aligned(sizeof(uintptr_t)), may_alias));

static inline void moat_swap_two_words(char *a, char *b)
{
    const moat_two_words two = *(moat_two_words *)a;

    *(moat_two_words *)a = *(moat_two_words *)b;
    *(moat_two_words *)b = two;
}

static inline void moat_swap_word(char *a, char *b)
{
    const uintptr_t word = *(uintptr_t *)a;

    *(uintptr_t *)a = *(uintptr_t *)b;
    *(uintptr_t *)b = word;
}

static inline void moat_swap_words(char *a, char *b, size_t bytes)
{
    for (; bytes >= sizeof(moat_two_words); bytes -= sizeof(moat_two_words)) {
        moat_swap_two_words(a, b);
        a += sizeof(moat_two_words);
        b += sizeof(moat_two_words);
    }
    if (bytes != 0)
        moat_swap_word(a, b);
}

#ifdef MOAT_ARCH_BLOCK_BYTES
/* Frames are aligned to two words. From where they are aligned to a block on,
 * no block of theirs straddles two lines of the cache, and mostly none of the
 * image (stack/area.h). */
static inline void moat_swap_blocks(char *a, char *b, size_t bytes)
{
    for (; bytes >= 2 * MOAT_ARCH_BLOCK_BYTES &&
           (uintptr_t)a % MOAT_ARCH_BLOCK_ALIGN != 0;
         bytes -= sizeof(moat_two_words)) {
        moat_swap_two_words(a, b);
        a += sizeof(moat_two_words);
        b += sizeof(moat_two_words);
    }
    do {
        MOAT_ARCH_SWAP_BLOCK(a, b);
        a += MOAT_ARCH_BLOCK_BYTES;
        b += MOAT_ARCH_BLOCK_BYTES;
        bytes -= MOAT_ARCH_BLOCK_BYTES;
    } while (bytes >= MOAT_ARCH_BLOCK_BYTES);
    MOAT_ARCH_SWAP_END();
    if (bytes != 0)
        moat_swap_words(a, b, bytes);
}
#endif

/* `blocks`: whether the CPU can exchange blocks. */
static inline void moat_swap_frames(char *a, char *b, size_t bytes, bool blocks)
{
#ifdef MOAT_ARCH_BLOCK_BYTES
    if (blocks && bytes >= MOAT_ARCH_BLOCK_BYTES) {
        moat_swap_blocks(a, b, bytes);
        return;
    }
#else
    (void)blocks;
#endif
    moat_swap_words(a, b, bytes);
}

/* In the record of one that is away: its berth, if frames are all that it needs
 * to be resumed; else NULL. Its resumer's words are free, and the first is the
 * image. */
static inline struct moat_berth *moat_turn_berth(const struct co *co)
{
    return (struct moat_berth *)co->control.resumer_pc;
}

/* Returns whether the two, of which `co` is away and may be resumed, can be
 * exchanged. The occupant's state is the thread's token if it may be resumed as
 * well, and neither limits nor a sanitizer need the library. */
static inline bool moat_turn_is_usual(const struct moat_berth *berth,
                                      const struct co *co, uint64_t token)
{
    const struct co *other;

    if (berth == NULL)
        return false;
    other = berth->occupant;
    return other != NULL && other->control.state == token &&
           other->control.sp == co->control.sp;
}

/* Exchanges them. Handlers read the state. */
static inline void moat_turn(struct moat_berth *berth, struct co *co,
                             uint64_t token)
{
    struct co *other = berth->occupant;
    uintptr_t image = co->control.resumer_fp, sp = co->control.sp;

    berth->occupant = co;
    other->control.resumer_fp = image;
    other->control.resumer_pc = (uintptr_t)berth;
    other->control.token = token | MOAT_AWAY_TOKEN;
    other->control.flags |= CO_AWAY;
    *(volatile uint64_t *)&other->control.state = token | MOAT_AWAY_TOKEN;
    co->control.token = token;
    co->control.flags &= (uint16_t)~CO_AWAY;
    *(volatile uint64_t *)&co->control.state = token;
    moat_swap_frames((char *)sp, (char *)image, co->control.root_sp - sp,
                     berth->blocks);
    moat_arch_top_frame(&co->control, co->slot.base);
}

#endif
