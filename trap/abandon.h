/*
 * abandon.h: releases what a guest holds when it is stopped inside the library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_ABANDON_H
#define MOAT_TRAP_ABANDON_H

/* Ends what the running coroutine's calls of the library had begun and that its
 * thread would be left with: a visit of shared data, a probe, blocked signals.
 * The context is about to be redirected past these calls. Signal-safe: yes. */
void moat_trap_abandon(void *ucontext);

#endif
