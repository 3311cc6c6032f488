/*
 * small_stack.h: calls with a given amount of stack left, and how much they
 * use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_SMALL_STACK_H
#define TESTS_SUPPORT_SMALL_STACK_H

#include <stddef.h>

/* The largest room. */
#define SMALL_STACK_MAX ((size_t)512 << 10)

/* Runs `body` on a thread of its own, on a stack that ends at a guard `room`
 * bytes further down. `before`, which may be NULL, and `after` run on the same
 * thread with more of it. Returns the bytes of stack that `body` touched. */
size_t small_stack_run(size_t room, void (*before)(void), void (*body)(void),
                       void (*after)(void));

/* Fills the stack below the caller down to `limit`, and returns where the fill
 * ends; returns the lowest address in [limit, end) that was touched since. */
size_t small_stack_fill(size_t limit);
size_t small_stack_lowest(size_t limit, size_t end);

#endif
