/*
 * cpu_clock.h: the CPU time of a thread.
 *
 * The system's clock of it takes a system call. But while the thread has run
 * without a break, its CPU time has grown by the real time since the last
 * sample, and the CPU's own clock tells that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_CPU_CLOCK_H
#define MOAT_TRAP_CPU_CLOCK_H

#include <stdint.h>

/* Returns the thread's CPU time, with that of its parent up to a fork, at
 * `now`, the clock's last reading; MOAT_CLOCK_END if it cannot be read. A
 * system call if something else has run on the CPU since the last sample, or
 * that is old. Signal-safe: yes. */
uint64_t moat_cpu_clock(uint64_t now);

/* Returns the same, or an upper bound, off by no more than error_ns. */
uint64_t moat_cpu_clock_at_most(uint64_t now, uint64_t error_ns);

/* Returns the time, as moat_clock_ns, and stores the CPU time. */
uint64_t moat_cpu_clock_now(uint64_t *cpu);

/* In a forked child, whose CPU time begins at 0 for the system. */
void moat_cpu_clock_after_fork(void);

/* When the thread leaves the engine. */
void moat_cpu_clock_end(void);

#endif
