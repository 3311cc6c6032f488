/*
 * methods.c: which of the kernel's newer ways to find and drop pages, and to
 * make guards, are used.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "stack/annotate.h"
#include "stack/stack.h"

struct moat_methods moat_methods;

/* The environment may ask for the ways of old, and never does so in a
 * set-user-ID program. */
static moat_status environment_wants_old(bool *out)
{
    const char *asked = secure_getenv("MOAT_PAGES");

    *out = false;
    if (asked == NULL || *asked == '\0' || strcmp(asked, "auto") == 0)
        return MOAT_OK;
    if (strcmp(asked, "old") != 0)
        return MOAT_E_INVAL;
    *out = true;
    return MOAT_OK;
}

moat_status moat_methods_choose(struct moat_methods *out)
{
    bool old;
    moat_status status = environment_wants_old(&old);

    if (status != MOAT_OK)
        return status;
    old |= moat_annotate_emulated();
    out->scan = !old && moat_scan_works();
    out->batch = !old && moat_drop_batch_works() &&
                 (moat_guard_batch_works() || !moat_guard_madvise_works());
    return MOAT_OK;
}
