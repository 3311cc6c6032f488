/*
 * frames.h: the frames that the kernel pushes when it delivers signals.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_FRAMES_H
#define MOAT_TRAP_FRAMES_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Marks a frame whose handler has returned or was left. Signal-safe: yes. */
void moat_frames_mark_dead(void *ucontext);

/* Returns whether an alternate stack may hold, at `sp` or above, the frame of
 * a handler that has not ended. Signal-safe: yes. */
bool moat_frames_may_live(const stack_t *stack, uintptr_t sp);

#endif
