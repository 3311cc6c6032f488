/*
 * load.h: loads at addresses that a machine context names. Nothing need be
 * there: the context may be that of a return from a handler that failed, or of
 * code that may be executed but not read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ARCH_X86_64_LOAD_H
#define MOAT_ARCH_X86_64_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* False: it cannot be read. Any address, any signal mask. Signal-safe: yes. */
bool moat_load_byte(uintptr_t address, unsigned char *out);
bool moat_load_word(uintptr_t address, uintptr_t *out);

#endif
