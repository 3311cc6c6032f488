/*
 * switch_shared.c: moat from the shared library, as a plug-in of bench/switch.
 *
 * Built twice: as it is (inline) and with MOAT_NO_INLINE (the out-of-line ABI).
 * A plug-in, because a program that linked the static and the shared library
 * both would mix their symbols.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_moat.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

__attribute__((
    visibility("default"))) extern const struct bench_engine bench_plugin;

#ifdef MOAT_NO_INLINE
const struct bench_engine bench_plugin = {"moat, out of line, .so", 1, 0,
                                          SWITCH_BODIES(run_ring)};
#else
const struct bench_engine bench_plugin = {"moat, inline, .so", 1, 0,
                                          SWITCH_BODIES(run_ring)};
#endif
