/*
 * engine.h: the process's state, initialised on demand.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_ENGINE_H
#define MOAT_ENGINE_ENGINE_H

#include <moat/engine.h>

/* Initialises the engine with default options, unless it is initialised. */
moat_status moat_engine_ready(void);

/* Installs the handler of the deadline signal, at the first limit. */
moat_status moat_engine_need_deadlines(void);

#endif
