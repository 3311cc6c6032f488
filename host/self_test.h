/*
 * self_test.h: tests with real faults in guests that this machine contains
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SELF_TEST_H
#define HOST_SELF_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/moat.h>

struct self_test {
    const char *name;
    moat_trap_kind expected;
    moat_entry guest;
    bool contained;   /* the trap was of the expected kind     */
    char outcome[80]; /* for people                            */
    size_t frames;    /* of the linked backtrace               */
};

extern const size_t self_test_count;

/* Runs all tests. Returns whether every trap was of the expected kind. `tests`
 * has room for self_test_count. */
bool self_test_run(struct self_test *tests);

#endif
