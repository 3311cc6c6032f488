/*
 * room.h: how much is left of the stack that the caller runs on, whichever it
 * is: a guest's, the thread's own, or one of the host's making.
 *
 * moat_stack_reserve knows guests' stacks alone. But a report needs more stack
 * than some of a host's threads have.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_ROOM_H
#define MOAT_ENGINE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/status.h>

/* Returns whether `bytes` are left below the caller. Where the bounds of the
 * stack are not known: whether so much memory below the caller can be read.
 * Signal-safe: yes. */
bool moat_room_for(size_t bytes);

/* As moat_nointr_begin, on any stack: opens an uninterruptible section, which
 * moat_nointr_end closes, or returns MOAT_E_LIMIT. */
moat_status moat_room_begin(size_t bytes);

#endif
