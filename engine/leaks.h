/*
 * leaks.h: what coroutines own is no leak.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_LEAKS_H
#define MOAT_ENGINE_LEAKS_H

#include <moat/status.h>

/* Arranges that LeakSanitizer, if it is in this process, learns at the exit
 * what coroutines own. Not under a lock: it may allocate. */
moat_status moat_leaks_prepare(void);

#endif
