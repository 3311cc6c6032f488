/*
 * inject.h: makes the n-th call of the C library fail, and counts what the
 * wrapped calls hold.
 *
 * Works on objects that are linked with -Wl,--wrap=...
 * (tests/fault/CMakeLists.txt lists the functions): the library's static twin,
 * unchanged. One thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_INJECT_H
#define TESTS_SUPPORT_INJECT_H

#include <stdbool.h>

/* The n-th wrapped call from now on fails, n >= 1, and with `on` all that
 * follow it; every call counts. */
void inject_arm(unsigned n, bool on);

/* For wrappers of a test's own: is it the turn of this call, `name`, to fail?
 * Then errno is set. */
bool inject_fails(const char *name, int error);

/* No call fails any more. Gives how many calls there were since inject_arm. */
unsigned inject_disarm(void);

/* Which function failed first; "none" if the n-th call never came. */
const char *inject_victim(void);

/* Blocks and mapped bytes that were taken through wrapped calls and not given
 * back. */
long inject_live_blocks(void);
long inject_live_mapped_bytes(void);

#endif
