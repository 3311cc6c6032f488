/*
 * watch.h: the timer of a thread, as far as limited guests are entered.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_WATCH_H
#define MOAT_TRAP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>

#include "trap/coroutine.h"

/* What goes into the token of a coroutine with these limits: an even number
 * below MOAT_TOKEN_STEP, the higher the shorter they are. */
uint64_t moat_watch_class(const struct moat_time_limits *limits);

/* A resume of a limited coroutine, or a transfer to it, begins outside the
 * inline path. Makes sure that the timer will find it. */
moat_status moat_watch_enter(struct co *co);

/* The same for an accounted one, limited or not: reads the clocks. When its
 * event has come, or it transfers, its time is added up; if it goes on
 * nevertheless, the rest is added later. */
moat_status moat_watch_enter_accounted(struct co *co);

/* A fresh accounted one ends without being entered: its clock still has the
 * figures of its last life. */
void moat_watch_begin_life(struct co *co);

void moat_watch_leave_accounted(struct co *co);

/* A resume that did not take the inline path was refused: the next limited one
 * does not take it either. */
void moat_watch_refused(void);

/* A resume that did not take the inline path has come back. */
void moat_watch_left(void);

/* The timer fired, or is gone: no limited coroutine is resumed inline until one
 * was entered otherwise. Returns by when to look again, as one may just be on
 * its way in; MOAT_CLOCK_END: none may. Signal-safe: yes. */
uint64_t moat_watch_end(uint64_t now);

#endif
