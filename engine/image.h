/*
 * image.h: the frames of a coroutine that are kept elsewhere while others have
 * its stack (copied.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_IMAGE_H
#define MOAT_ENGINE_IMAGE_H

#include "engine/copied.h"

/* A stopped coroutine's lowest address in use. One that waits on a stack which
 * it has made itself keeps all of the berth. */
static inline uintptr_t moat_image_begin(const struct co *co)
{
    uintptr_t sp = co->control.sp;

    if (co->control.state == MOAT_MARK_TRAPPED)
        sp = moat_trapped_sp(co) - MOAT_ARCH_RED_ZONE;
    if (sp < co->slot.limit || sp > co->control.root_sp)
        return co->slot.limit;
    return sp;
}

static inline size_t moat_image_bytes(const struct co *co)
{
    return co->control.root_sp - moat_image_begin(co);
}

/* Where the image's address is kept. A trapped coroutine's words of its resumer
 * are a part of the evidence. */
static inline void *moat_image_of(const struct co *co)
{
    if (co->control.state == MOAT_MARK_TRAPPED)
        return cold_of(co)->image;
    return (void *)co->control.resumer_fp;
}

static inline void moat_image_set(struct co *co, void *image)
{
    if (co->control.state == MOAT_MARK_TRAPPED)
        cold_of(co)->image = image;
    else
        co->control.resumer_fp = (uintptr_t)image;
}

/* Without an image: it is in the berth, or fresh. */
static inline bool moat_image_is_kept(const struct co *co)
{
    return moat_is_away(co) && moat_image_bytes(co) != 0;
}

#endif
