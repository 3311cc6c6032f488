/*
 * guard_choice.h: choices between ways to do the same: kinds of guard, and the
 * system's newer calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_GUARD_CHOICE_H
#define MOAT_STACK_GUARD_CHOICE_H

#include <moat/engine.h>
#include <moat/status.h>

#include "sys/methods.h"

/* Resolves MOAT_GUARD_AUTO by the environment and the system. */
moat_status moat_guard_choose(moat_guard_kind asked, moat_guard_kind *out);

/* Finds which of the newer calls the system has, for this kind of guard; none,
 * and none is tried, if the host (`old`) or the environment asks for the older
 * ones. */
moat_status moat_methods_choose(bool old, moat_guard_kind guard,
                                struct moat_methods *out);

#endif
