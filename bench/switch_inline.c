/*
 * switch_inline.c: the header-inline switch, linked with the static library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_moat.h"

#include "bench/switch_cases.h"
#include "bench/switch_ring.h"

const struct bench_engine engine_moat_inline = {"moat, inline", 1, 0,
                                                SWITCH_BODIES(run_ring)};
