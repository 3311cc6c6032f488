/*
 * throwers.h: guests in C++ that throw, for a host in C.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_CXX_THROWERS_H
#define TESTS_CXX_THROWERS_H

#include <moat/moat.h>

#define THROWN 6

#ifdef __cplusplus
extern "C" {
#endif

/* The input is the address of the exception's number. */
void *throw_one(moat_co *self, void *input);

int uncaught_exceptions(void);

/* Of the classes that count them. */
int exceptions_alive(void);

#ifdef __cplusplus
}
#endif

#endif
