/*
 * borders_throw.h: guests of test_borders.c that are written in C++.
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

/* The number of exceptions that have not been destroyed, and of destructors in
 * guests' frames that have run since the start. */
extern int exceptions_alive;
extern int frames_destroyed;

/* Entry functions. The first throws through FRAMES_WITH_DESTRUCTORS frames. */
#define FRAMES_WITH_DESTRUCTORS 4
void *throw_through_the_root(moat_co *self, void *input);
void *throw_and_catch(moat_co *self, void *input);

/* Returns whether the C++ runtime counts an exception in flight on this
 * thread. */
bool cxx_counts_an_exception(void);

/* throw_an_int is for moat_co_defer. reset_throws resets a coroutine and
 * returns whether an exception came out. */
void throw_an_int(void *arg);
bool reset_throws(moat_co *co);

/* Calls the library's moat_co_resume, not the inline version. */
moat_status resume_out_of_line(moat_co *co, void *input, moat_event *out);

#ifdef __cplusplus
}
#endif

#endif
