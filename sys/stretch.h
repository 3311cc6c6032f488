/*
 * stretch.h: whether the thread has run without a break.
 *
 * While nothing else has run on its CPU, a thread's CPU time has grown by the
 * real time, which can be read without a system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_STRETCH_H
#define MOAT_SYS_STRETCH_H

#include <stdbool.h>

/* Finds out, the first time, in a sleep of a millisecond, whether the kernel
 * reports breaks. Until then no stretch is whole. */
void moat_stretch_prepare(void);

/* Begins a stretch of the calling thread. Signal-safe: yes. */
void moat_stretch_begin(void);

/* Must be called before the library is unloaded, by each thread that has begun
 * one. */
void moat_stretch_end(void);

/* Returns whether the thread has neither slept nor been interrupted by another
 * one or by a signal since its stretch began. False where that is not known.
 * Signal-safe: yes. */
bool moat_stretch_is_whole(void);

#endif
