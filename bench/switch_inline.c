/*
 * switch_inline.c: the header-inline switch, linked with the static library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/switch_moat.h"

const struct bench_engine engine_moat_inline = {"moat, inline", 1,
                                                SWITCH_BODIES};
