/*
 * code.h: what the C++ part of the test code does for the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_CODE_H
#define TESTS_UNWIND_CODE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*code_function)(void (*callee)(void));

/* Calls the code, which calls a function that throws. Is the exception caught
 * here, with all that a call preserves? */
int code_catches(code_function code);

/* Throws and catches an exception. */
int code_throws(void);

#ifdef __cplusplus
}
#endif

#endif
