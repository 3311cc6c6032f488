/*
 * statistics.c: functions that inspect or tune the C library's allocator, which
 * is the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* clang-format off */

WRAP_1(int, malloc_trim, NOTHING, size_t)
WRAP_2(int, malloc_info, STREAM(b), int, FILE *)
WRAPV_0(malloc_stats, STREAM(stderr))
WRAP_0(struct mallinfo2, mallinfo2, NOTHING)
WRAP_2(int, mallopt, NOTHING, int, int)

/* clang-format on */
