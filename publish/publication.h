/*
 * publication.h: registered code made known to others that unwind or debug this
 * process.
 *
 * They are told in this order: libgcc's unwinder and libunwind (groups.h),
 * debuggers (debugger.h), and the profiler perf, by a map (perf_map.h) and a
 * dump (jitdump.h). The last two are aids: they cannot refuse, and are not told
 * when code is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_PUBLICATION_H
#define MOAT_PUBLISH_PUBLICATION_H

#include "registry/code.h"

/* Makes a registration as moat_codes_make, with what debuggers will be shown.
 * Reads the caller's memory: to be called under no lock. */
moat_status moat_publication_make(const moat_code *asked,
                                  struct moat_registered **out);

/* Supplies what moat_publication_open will need at least. Under no lock. False:
 * no memory. */
bool moat_publication_supply(const struct moat_registered *code);

/* Takes from the supply what others of the publication will need, and keeps it
 * for later if it is not all there. Under moat_codes_lock. MOAT_E_NOMEM. */
moat_status moat_publication_prepare(const struct moat_registered *code);

/* Under moat_codes_lock. MOAT_E_NOMEM: it has not been published. */
moat_status moat_publication_open(struct moat_registered *code);
void moat_publication_close(struct moat_registered *code);

#endif
