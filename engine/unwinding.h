/*
 * unwinding.h: the guest's side of a cancel (moat_co_unwind).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_UNWINDING_H
#define MOAT_ENGINE_UNWINDING_H

#include "engine/coroutine.h"

/* Returns how many unwindings of the running coroutine have begun that it has
 * not caught. Only to be compared with an earlier result. */
unsigned moat_unwindings(const struct co *co);

#endif
