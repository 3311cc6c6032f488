/*
 * landing.h: releases what a guest held when it was stopped inside the library,
 * as far as no handler could.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_LANDING_H
#define MOAT_ENGINE_LANDING_H

#include "trap/coroutine.h"

/* Ends what the calls of the library had begun that `stopped` was stopped in:
 * all of them, or those within its moat_notrap_call. */
void moat_landed(const struct co *stopped);

#endif
