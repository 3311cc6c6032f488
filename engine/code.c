/*
 * code.c: registered code, as the public functions have it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/internal.h"

static moat_status add(const moat_code *asked, moat_code_id *out)
{
    moat_code code;
    moat_status status =
        moat_options_copy(&code, sizeof code, asked, sizeof *asked);

    if (status == MOAT_OK)
        status = moat_engine_ready();
    if (status == MOAT_OK)
        status = moat_codes_add(&code, out);
    if (status == MOAT_OK)
        moat_perf_map_add(&code);
    return status;
}

moat_status moat_code_register(const moat_code *code, moat_code_id *out)
{
    moat_status status;

    if (code == NULL || out == NULL)
        return MOAT_E_INVAL;
    status = moat_hold_begin(MOAT_HOLD_BYTES);
    if (status != MOAT_OK)
        return status;
    status = add(code, out);
    moat_hold_end();
    return status;
}

moat_status moat_code_unregister(moat_code_id id)
{
    moat_status status = moat_hold_begin(MOAT_HOLD_BYTES);

    if (status != MOAT_OK)
        return status;
    status = moat_codes_remove(id);
    moat_hold_end();
    return status;
}
