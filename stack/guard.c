/*
 * guard.c: which kind of guard this process uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "stack/stack.h"

/* The environment is asked only where the host left the choice open, and never
 * in a set-user-ID program. */
static moat_status environment_choice(moat_guard_kind *out)
{
    const char *asked = secure_getenv("MOAT_GUARD");

    *out = MOAT_GUARD_AUTO;
    if (asked == NULL || *asked == '\0' || strcmp(asked, "auto") == 0)
        return MOAT_OK;
    if (strcmp(asked, "madvise") == 0)
        *out = MOAT_GUARD_MADVISE;
    else if (strcmp(asked, "mprotect") == 0)
        *out = MOAT_GUARD_MPROTECT;
    else
        return MOAT_E_INVAL;
    return MOAT_OK;
}

moat_status moat_guard_choose(moat_guard_kind asked, moat_guard_kind *out)
{
    moat_status status;

    if (asked == MOAT_GUARD_AUTO) {
        status = environment_choice(&asked);
        if (status != MOAT_OK)
            return status;
    }
    switch (asked) {
    case MOAT_GUARD_AUTO:
        *out = moat_guard_madvise_works() ? MOAT_GUARD_MADVISE
                                          : MOAT_GUARD_MPROTECT;
        return MOAT_OK;
    case MOAT_GUARD_MADVISE:
        if (!moat_guard_madvise_works())
            return MOAT_E_UNSUPPORTED;
        *out = asked;
        return MOAT_OK;
    case MOAT_GUARD_MPROTECT:
        *out = asked;
        return MOAT_OK;
    default:
        return MOAT_E_INVAL;
    }
}
