/*
 * guard_choice.c: which kind of guard this process uses, and which of the
 * system's newer calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stack/guard_choice.h"

#include "stack/annotate.h"
#include "sys/environment.h"
#include "sys/guard.h"
#include "sys/pagemap.h"
#include "sys/refusal.h"

/* Asks the environment, since the host left the choice open. */
static moat_status environment_choice(moat_guard_kind *out)
{
    static const char *const words[] = {[MOAT_GUARD_AUTO] = "auto",
                                        [MOAT_GUARD_MADVISE] = "madvise",
                                        [MOAT_GUARD_MPROTECT] = "mprotect",
                                        NULL};
    int choice;
    moat_status status = moat_environment_choose("MOAT_GUARD", words, &choice);

    *out = (moat_guard_kind)choice;
    return status;
}

moat_status moat_guard_choose(moat_guard_kind asked, moat_guard_kind *out)
{
    moat_status status =
        asked == MOAT_GUARD_AUTO ? environment_choice(&asked) : MOAT_OK;

    if (status != MOAT_OK)
        return status;
    switch (asked) {
    case MOAT_GUARD_AUTO:
        asked =
            moat_guard_marks_work() ? MOAT_GUARD_MADVISE : MOAT_GUARD_MPROTECT;
        break;
    case MOAT_GUARD_MADVISE:
        if (!moat_guard_marks_work())
            return moat_refuse(MOAT_E_UNSUPPORTED,
                               "options->guard is MOAT_GUARD_MADVISE, or "
                               "MOAT_GUARD=madvise: Linux 6.13 has it");
        break;
    case MOAT_GUARD_MPROTECT:
        break;
    default:
        return moat_refuse_value(
            MOAT_E_INVAL, "options->guard is %u: no moat_guard_kind", asked);
    }
    *out = asked;
    return MOAT_OK;
}

/* The environment may ask for the older calls. A call that is ruled out is not
 * tried: a filter of system calls may kill the process for it. */
moat_status moat_methods_choose(bool old, moat_guard_kind guard,
                                struct moat_methods *out)
{
    static const char *const words[] = {"auto", "old", NULL};
    int choice = 0;
    moat_status status =
        old ? MOAT_OK : moat_environment_choose("MOAT_PAGES", words, &choice);

    if (status != MOAT_OK)
        return status;
    old |= choice == 1 || moat_annotate_emulated();
    out->scan = !old && moat_pagemap_scan_works();
    out->batch = !old && moat_pages_drop_batch_works() &&
                 (guard == MOAT_GUARD_MPROTECT || moat_guard_marks_batch());
    return MOAT_OK;
}
