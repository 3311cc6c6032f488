/*
 * unit.h: what every unit test includes: cmocka, which wants these headers
 * before its own.
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

#endif
