/*
 * clock.h: clocks in nanoseconds. Signal-safe: yes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_CLOCK_H
#define MOAT_SYS_CLOCK_H

#include <stdint.h>

/* What a clock that cannot be read returns, as a filter of system calls may
 * forbid it: then every deadline has passed. */
#define MOAT_CLOCK_END UINT64_MAX

/* A clock that only goes forward, by real time. */
uint64_t moat_clock_ns(void);

/* The calling thread's CPU time. */
uint64_t moat_clock_cpu_ns(void);

static inline uint64_t moat_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What would be beyond the clock's end is its end. */
static inline uint64_t moat_later_by(uint64_t at, uint64_t ns)
{
    return ns > MOAT_CLOCK_END - at ? MOAT_CLOCK_END : at + ns;
}

/* That of a thread of this process, by the system's number (sys/fork.h). */
uint64_t moat_clock_cpu_ns_of(int task);

#endif
