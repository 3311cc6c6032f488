/*
 * frame.h: functions that keep a frame of their own at any optimisation level.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_FRAME_H
#define TESTS_SUPPORT_FRAME_H

#if defined(__GNUC__) && !defined(__clang__)
#    define FRAME __attribute__((noipa))
#else
#    define FRAME __attribute__((noinline))
#endif

/* Placed after a call that must not become a tail call. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

#endif
