/*
 * source_manual.c: the embedder owns the signals and calls moat_trap_handle.
 *
 * There is nothing to install, and nothing whose loss moat could notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/internal.h"

static moat_status nothing(void)
{
    return MOAT_OK;
}

const moat_source moat_source_manual = {
    .version = MOAT_SOURCE_VERSION,
    .name = "manual",
    .install = nothing,
    .check = nothing,
    .remove = nothing,
};
