/*
 * groups.h: the unwind rules of registered code, made known to other unwinders.
 *
 * Unwinders search what was registered with them one by one. So they are told
 * of groups of neighbours, and search each by halves. Under moat_codes_lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_PUBLISH_GROUPS_H
#define MOAT_PUBLISH_GROUPS_H

#include <moat/status.h>

#include "publish/unwinder.h"

/* Takes memory for so many additions from the supply; they may need more.
 * MOAT_E_NOMEM. */
moat_status moat_groups_prepare(size_t pieces);

/* Pieces share no address. On MOAT_OK the rules are the groups'; MOAT_E_NOMEM:
 * the piece is not added. */
moat_status moat_groups_add(const struct moat_piece *piece);

/* When it returns neither a walk of moat's nor libgcc knows the piece that
 * begins there. */
void moat_groups_remove(uintptr_t begin);

#endif
