/*
 * limits.c: which limits this build can enforce.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

moat_status moat_limits_check(const moat_limits *asked, moat_limits *out,
                              bool *limited)
{
    moat_status status =
        moat_options_copy(out, sizeof *out, asked, sizeof *asked);
    if (status != MOAT_OK)
        return status;
    if (out->total_cpu_ns != 0 || out->slice_ns != 0 || out->memory_bytes != 0)
        return MOAT_E_UNSUPPORTED;
    *limited = out->resume_cpu_ns != 0 || out->wall_ns != 0;
    return *limited ? moat_engine_need_deadlines() : MOAT_OK;
}
