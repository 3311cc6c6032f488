/*
 * timer.h: timers that send a signal to the thread that made them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_TIMER_H
#define MOAT_SYS_TIMER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <moat/status.h>

struct moat_timer {
    void *handle;
};

/* Makes a timer whose signal carries `token`. A forked child does not inherit
 * it. */
moat_status moat_timer_make(struct moat_timer *timer, int signo, void *token);
void moat_timer_delete(const struct moat_timer *timer);

/* Sets it to a time of moat_clock_ns, instead of the one before, and to fire
 * again every `again_ns` after that; MOAT_CLOCK_END: not to fire. Returns false
 * if there is no such timer, as in a child that was forked without libc.
 * Signal-safe: yes. */
bool moat_timer_set(const struct moat_timer *timer, uint64_t at_ns,
                    uint64_t again_ns);

/* Returns whether a signal is that of a timer with the token. Signal-safe: yes.
 */
bool moat_timer_sent(const siginfo_t *info, const void *token);

#endif
