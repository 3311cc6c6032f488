/*
 * code.h: the part of the code test that is in C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_CODE_H
#define TESTS_UNWIND_CODE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*code_function)(void (*callee)(void));

/* Calls the code, which calls a function that throws. Returns whether the
 * exception was caught here, with all registers that a call preserves. */
int code_catches(code_function code);

/* Throws and catches an exception. */
int code_throws(void);

#ifdef __cplusplus
}
#endif

#endif
