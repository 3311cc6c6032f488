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

static inline void moat_swap_two_words(void *a, void *b)
{
    const moat_two_words two = *(moat_two_words *)a;

    *(moat_two_words *)a = *(moat_two_words *)b;
    *(moat_two_words *)b = two;
}

static inline void moat_swap_word(void *a, void *b)
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
/* From where the frames are aligned to a block on, no block of theirs straddles
 * two lines of the cache, and mostly none of the image (stack/area.h). Of less
 * than two blocks that is not worth while. */
static inline void moat_swap_blocks(char *a, char *b, size_t bytes)
{
    if (bytes >= 2 * MOAT_ARCH_BLOCK_BYTES &&
        (uintptr_t)a % sizeof(moat_two_words) != 0) {
        moat_swap_word(a, b);
        a += sizeof(uintptr_t);
        b += sizeof(uintptr_t);
        bytes -= sizeof(uintptr_t);
    }
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

/* From one block up to four, by the bits of the number: a loop would cost as
 * much as a block. */
static inline void moat_swap_few(char *a, char *b, size_t bytes)
{
    if ((bytes & 2 * MOAT_ARCH_BLOCK_BYTES) != 0) {
        MOAT_ARCH_SWAP_BLOCK(a, b);
        MOAT_ARCH_SWAP_BLOCK(a + MOAT_ARCH_BLOCK_BYTES,
                             b + MOAT_ARCH_BLOCK_BYTES);
        a += 2 * MOAT_ARCH_BLOCK_BYTES;
        b += 2 * MOAT_ARCH_BLOCK_BYTES;
    }
    if ((bytes & MOAT_ARCH_BLOCK_BYTES) != 0) {
        MOAT_ARCH_SWAP_BLOCK(a, b);
        a += MOAT_ARCH_BLOCK_BYTES;
        b += MOAT_ARCH_BLOCK_BYTES;
    }
    MOAT_ARCH_SWAP_END();
    bytes %= MOAT_ARCH_BLOCK_BYTES;
    if (bytes >= 2 * sizeof(moat_two_words)) {
        moat_swap_two_words(a, b);
        moat_swap_two_words(a + sizeof(moat_two_words),
                            b + sizeof(moat_two_words));
        a += 2 * sizeof(moat_two_words);
        b += 2 * sizeof(moat_two_words);
        bytes -= 2 * sizeof(moat_two_words);
    }
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

/* Returns whether frames are all that a turn is about: those of one that is
 * away, may be resumed and has this berth, and those of the occupant. Its state
 * is the thread's token if it may be resumed as well, and neither limits nor a
 * sanitizer need the library. */
static inline bool moat_turn_is_plain(const struct moat_berth *berth,
                                      uint64_t token)
{
    return berth != NULL && berth->occupant != NULL &&
           berth->occupant->control.state == token;
}

/* The records of both. Handlers read the state. */
static inline void moat_turn_note(struct moat_berth *berth, struct co *co,
                                  uint64_t token, uintptr_t image)
{
    struct co *other = berth->occupant;

    berth->occupant = co;
    other->control.resumer_fp = image;
    other->control.resumer_pc = (uintptr_t)berth;
    other->control.token = token | MOAT_AWAY_TOKEN;
    other->control.flags |= CO_AWAY;
    *(volatile uint64_t *)&other->control.state = token | MOAT_AWAY_TOKEN;
    co->control.token = token;
    co->control.flags &= (uint16_t)~CO_AWAY;
    *(volatile uint64_t *)&co->control.state = token;
}

/* A plain turn of two that wait at one place. */
static inline void moat_turn(struct moat_berth *berth, struct co *co,
                             uint64_t token)
{
    uintptr_t image = co->control.resumer_fp, sp = co->control.sp;

    moat_turn_note(berth, co, token, image);
    moat_swap_frames((char *)sp, (char *)image, co->control.root_sp - sp,
                     berth->blocks);
    moat_arch_top_frame(&co->control, co->slot.base);
}

/* The same for few frames, from one block up to two; false: nothing was done.
 */
static inline bool moat_turn_few(struct moat_berth *berth, struct co *co,
                                 uint64_t token)
{
#ifdef MOAT_ARCH_BLOCK_BYTES
    uintptr_t image = co->control.resumer_fp, sp = co->control.sp;
    size_t bytes = co->control.root_sp - sp;

    if (!berth->blocks || bytes < MOAT_ARCH_BLOCK_BYTES ||
        bytes >= 4 * MOAT_ARCH_BLOCK_BYTES)
        return false;
    moat_turn_note(berth, co, token, image);
    moat_swap_few((char *)sp, (char *)image, bytes);
    moat_arch_top_frame(&co->control, co->slot.base);
    return true;
#else
    (void)berth;
    (void)co;
    (void)token;
    return false;
#endif
}

#endif
