/*
 * region.c: fault regions, as the public functions have them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

static moat_status add(const moat_fault_region_options *asked,
                       moat_fault_region *out)
{
    moat_fault_region_options options;
    moat_status status =
        moat_options_copy(&options, sizeof options, asked, sizeof *asked);

    if (status == MOAT_OK)
        status = moat_engine_ready();
    return status == MOAT_OK ? moat_regions_add(&options, out) : status;
}

moat_status moat_fault_region_register(const moat_fault_region_options *options,
                                       moat_fault_region *out)
{
    moat_status status;

    if (options == NULL || out == NULL)
        return MOAT_E_INVAL;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = add(options, out);
    moat_hold_end();
    return status;
}

moat_status moat_fault_region_unregister(moat_fault_region region)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    status = moat_regions_remove(region);
    moat_hold_end();
    return status;
}
