/*
 * co_options.h: a coroutine's options, checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_CO_OPTIONS_H
#define MOAT_ENGINE_CO_OPTIONS_H

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "engine/spec.h"

/* Copies options; NULL: all defaults. Sizes become whole pages. MOAT_E_INVAL,
 * MOAT_E_UNSUPPORTED. Memory that the options point to is not read. */
moat_status moat_co_options_resolve(const moat_co_options *asked,
                                    moat_co_options *out);

/* Checks options (NULL: all defaults) and fills a spec in; all of the caller's
 * memory is read here. On any status but MOAT_OK nothing is held. MOAT_E_INVAL,
 * MOAT_E_UNSUPPORTED, MOAT_E_NOMEM. */
moat_status moat_spec_fill(struct spec *spec, const moat_co_options *asked);

/* Gives the coroutine a script, which has been checked. */
void moat_script_set(struct co *co, const moat_script *script);

#endif
