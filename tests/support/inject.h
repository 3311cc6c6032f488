/*
 * inject.h: makes the n-th call of the C library fail, and counts the memory
 * that the wrapped calls hold.
 *
 * Works on objects that are linked with -Wl,--wrap=...
 * (tests/fault/CMakeLists.txt lists the functions), that is, on the unchanged
 * static library. For one thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_INJECT_H
#define TESTS_SUPPORT_INJECT_H

#include <stdbool.h>

/* Makes the n-th wrapped call from now on fail (n >= 1); with `on`, all later
 * calls fail too. Every wrapped call counts. */
void inject_arm(unsigned n, bool on);

/* For a test's own wrappers: returns whether this call of `name` has to fail,
 * and sets errno if so. */
bool inject_fails(const char *name, int error);

/* Lets all calls succeed again. Returns the number of calls since
 * inject_arm. */
unsigned inject_disarm(void);

/* Returns the function that failed first, or "none" if there was no n-th
 * call. */
const char *inject_victim(void);

/* The blocks and mapped bytes that wrapped calls have allocated and not
 * released. */
long inject_live_blocks(void);
long inject_live_mapped_bytes(void);

#endif
