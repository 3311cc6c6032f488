/*
 * borders_throw.h: the guests of test_borders.c that are written in C++.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_BORDERS_THROW_H
#define TESTS_FAULT_BORDERS_THROW_H

#include <stdbool.h>

#include <moat/moat.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exceptions that have not been destroyed; destructors of guests' frames that
 * have run since the start. */
extern int exceptions_alive;
extern int frames_destroyed;

/* Entry functions. The first throws through FRAMES_WITH_DESTRUCTORS frames. */
#define FRAMES_WITH_DESTRUCTORS 4
void *throw_through_the_root(moat_co *self, void *input);
void *throw_and_catch(moat_co *self, void *input);

/* Is an exception in flight on this thread, as C++ counts? */
bool cxx_counts_an_exception(void);

/* For moat_co_defer: throws. Resets a coroutine: did an exception come out? */
void throw_an_int(void *arg);
bool reset_throws(moat_co *co);

/* moat_co_resume as the library has it, not inline. */
moat_status resume_out_of_line(moat_co *co, void *input, moat_event *out);

#ifdef __cplusplus
}
#endif

#endif
