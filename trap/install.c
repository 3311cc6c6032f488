/*
 * install.c: the source in use.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trap/internal.h"

static const moat_source *installed; /* written under the engine's lock */

moat_status moat_trap_install(const moat_source *source)
{
    moat_status status = source->install();

    if (status == MOAT_OK)
        installed = source;
    return status;
}

moat_status moat_trap_check(void)
{
    return installed != NULL ? installed->check() : MOAT_E_STATE;
}

moat_status moat_trap_remove(void)
{
    const moat_source *source = installed;

    installed = NULL;
    return source != NULL ? source->remove() : MOAT_OK;
}

const char *moat_trap_source_name(const moat_source *source)
{
    return source->name;
}
