/*
 * unit.h: included by every unit test: cmocka, and the headers it needs before
 * its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Ends a test that cannot run here; the reason is printed. */
#define skip_for(reason)                                        \
    do {                                                        \
        print_message("skipped: %s: %s\n", __func__, (reason)); \
        skip();                                                 \
    } while (0)

#endif
