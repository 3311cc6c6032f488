/*
 * probe.h: calls that survive a fault, on any stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_PROBE_H
#define MOAT_TRAP_PROBE_H

#include <stdbool.h>

#include <moat/co.h>

/* Where a fault inside moat_trap_try goes; lies in the frame of the call. Until
 * fn is called, landing.resumer_sp is 0 and the landing leads nowhere. */
struct moat_probe {
    moat_co landing;
};

/* The innermost one of this thread; NULL: none. The handler of the same thread
 * is the only other reader. */
extern __thread struct moat_probe *moat_probe
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Calls fn(arg). Returns false if a fault inside ended the call. Signals that
 * fn does not raise itself wait until it has ended. Nests. */
bool moat_trap_try(void (*fn)(void *), void *arg);

/* Tells sanitizers that a fault dropped the frames below the caller's. */
void moat_probe_note_dropped(void);

#endif
