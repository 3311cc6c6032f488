/*
 * cancel.h: suspended coroutines ended by unwinding.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_CANCEL_H
#define MOAT_ENGINE_CANCEL_H

#include "trap/coroutine.h"

/* Unwinds a suspended coroutine that is about to be destroyed, as far as its
 * own code lets it. */
void moat_cancel_for_destroy(struct co *co);

#endif
