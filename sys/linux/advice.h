/*
 * advice.h: advice on many ranges by one system call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_LINUX_ADVICE_H
#define MOAT_SYS_LINUX_ADVICE_H

#include "sys/pages.h"

/* Advises MOAT_MAX_RANGES ranges at most. False: not all of them were
 * advised, perhaps none. */
bool moat_pages_advise(const struct moat_pages *ranges, size_t count,
                       int advice);

/* Returns whether the kernel takes the advice for two ranges at once, and
 * whether it then holds for both. */
bool moat_pages_advice_works(int advice, bool (*holds)(uintptr_t page));

#endif
