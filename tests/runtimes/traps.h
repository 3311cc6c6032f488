/*
 * traps.h: guests that trap, for hosts in another language.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_RUNTIMES_TRAPS_H
#define TESTS_RUNTIMES_TRAPS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Runs guests on this thread, of which each ends in a trap: a null write, an
 * overflow, an illegal instruction, a division, a passed limit. In between a
 * guest calls `service`, if that is not NULL, on its host's stack. Returns how
 * many trapped as they should; prints what else happened. */
int traps_run(int count, void (*service)(void));

/* Returns 0 if moat's handlers and this thread's alternate stack are in place,
 * else a status. */
int traps_check(void);

/* Installs moat's handlers, over those that are there. */
int traps_install(void);

#ifdef __cplusplus
}
#endif

#endif
