/*
 * make.h: a coroutine made on a stack, ready to be entered, and made again for
 * the next create.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_MAKE_H
#define MOAT_ENGINE_MAKE_H

#include "engine/homes.h"

/* Makes the coroutine of a slot, which belongs to this thread. The spec is the
 * home's, or has been filled for a loose one. MOAT_E_NOMEM. */
moat_status moat_make(struct co *co, struct moat_home *home,
                      const struct spec *spec, moat_entry entry, void *user);

/* Keeps a coroutine that has ended in its home, if there is room: made again,
 * whatever state it was in. */
bool moat_make_again(struct co *co);

/* Ends what a coroutine has besides its stack. */
void moat_unmake(struct co *co);

#endif
