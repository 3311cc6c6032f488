/*
 * perf_map.h: registered code as the profiler perf finds it: by address and
 * name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_PERF_MAP_H
#define MOAT_PUBLISH_PERF_MAP_H

#include <moat/code.h>

/* Adds the code, if the environment asks for the map. Under moat_codes_lock. */
void moat_perf_map_add(const moat_code *code);

#endif
