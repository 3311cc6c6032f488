/*
 * source_choice.h: which source of page faults is used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRAP_SOURCE_CHOICE_H
#define MOAT_TRAP_SOURCE_CHOICE_H

#include <moat/source.h>
#include <moat/status.h>

/* Resolves NULL by the environment. MOAT_E_INVAL, MOAT_E_UNSUPPORTED: not a
 * source that this library can use. */
moat_status moat_trap_source_choose(const moat_source *asked,
                                    const moat_source **out);

#endif
