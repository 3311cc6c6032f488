/*
 * bring.h: the frames of a stopped coroutine put where they belong, before they
 * are looked at or run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_BRING_H
#define MOAT_ENGINE_BRING_H

#include "engine/copied.h"

/* Slow path of moat_bring. */
moat_status moat_bring_away(struct co *co);

/* Brings a coroutine of this thread in, if it is away (copied.h). MOAT_E_LIMIT,
 * MOAT_E_STATE, MOAT_E_NOMEM. */
static inline moat_status moat_bring(const struct co *co)
{
    return moat_is_away(co) ? moat_bring_away((struct co *)co) : MOAT_OK;
}

#endif
