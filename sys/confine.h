/*
 * confine.h: a bound for the system calls of a thread, for the rest of its
 * life. No code of the thread can lift it, whatever memory that writes: it is
 * the kernel's. It knows no guests; it backs the filter (filter.h), which does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_CONFINE_H
#define MOAT_SYS_CONFINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/status.h>

/* From now on this thread can only make the calls of the list, and those that
 * the library needs where guests run, all by that ABI (linux/audit.h). Any
 * other raises SIGSYS, which is unblocked. MOAT_E_INVAL: a number is none of
 * the CPU's own ABI; MOAT_E_UNSUPPORTED: the kernel refuses; MOAT_E_NOMEM. All
 * note. */
moat_status moat_confine(uint32_t abi, const long *numbers, size_t count);

/* Returns whether the signal is that of a call which this refused. Signal-safe:
 * yes. */
bool moat_confine_refused(const siginfo_t *info);

#endif
