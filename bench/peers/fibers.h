/*
 * fibers.h: Boost.Fiber's side of bench/sched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PEERS_FIBERS_H
#define BENCH_PEERS_FIBERS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a program. Returns 1; 0: there is none of that name; -1: it got wrong
 * items. */
int bench_fibers_run(const char *name, size_t count);

#ifdef __cplusplus
}
#endif

#endif
