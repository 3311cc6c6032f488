/*
 * guests.h: the guests of tests/cancel, and the trace of their cleanup code,
 * one letter for each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_CANCEL_GUESTS_H
#define TESTS_CANCEL_GUESTS_H

#include <moat/moat.h>

#ifdef __cplusplus
extern "C" {
#endif

void note(char letter);

/* Notes "E"; the entry of coroutines that must not run. */
void *must_not_run(moat_co *self, void *input);

/* guests.c: C with -fexceptions. Frames note the digit of their depth. */
void *c_nested(moat_co *self, void *input);
void *c_yield_in_cleanup(moat_co *self, void *input);
void *c_trap_in_cleanup(moat_co *self, void *input);
void *c_panic_in_cleanup(moat_co *self, void *input);
void *c_trap_in_call(moat_co *self, void *input);
void *c_call_in_cleanup(moat_co *self, void *input);
void *c_endless_cleanup(moat_co *self, void *input);
void *c_over_plain(moat_co *self, void *input);
void *c_over_no_tables(moat_co *self, void *input);
void *c_over_no_exceptions(moat_co *self, void *input);
void *c_outline(moat_co *self, void *input);
void *c_owner(moat_co *self, void *input);
void *c_canceller(moat_co *self, void *input);
void *c_ends_itself(moat_co *self, void *input);
void *c_restless(moat_co *self, void *input);
void *c_visits_host(moat_co *self, void *input);
void *c_cancelled_from_service(moat_co *self, void *input);
void *c_with_handlers(moat_co *self, void *input);

/* Calls itself to `depth` frames, each with a cleanup, and yields in the
 * innermost. */
void c_descend(moat_co *self, int depth);

/* outline.c: the same with the out-of-line moat_co_yield. */
void outline_descend(moat_co *self, int depth);

/* plain.c without -fexceptions and without unwind tables; no_exceptions.cc: one
 * frame with a cleanup that must not run, then `next`. */
typedef void (*next_call)(moat_co *self, int depth);
void plain_frame(moat_co *self, next_call next);
void no_tables_frame(moat_co *self, next_call next);
void no_exceptions_frame(moat_co *self, next_call next);

/* guests.cc: C++. Frames note small letters. */
void *cxx_nested(moat_co *self, void *input);
void *cxx_over_c(moat_co *self, void *input);
void *cxx_rethrow(moat_co *self, void *input);
void *cxx_swallow_and_yield(moat_co *self, void *input);
void *cxx_swallow_and_return(moat_co *self, void *input);
void *cxx_swallow_and_trap_in_call(moat_co *self, void *input);
void *cxx_noexcept(moat_co *self, void *input);
void *cxx_yield_in_destructor(moat_co *self, void *input);
void *cxx_yield_in_throwing_destructor(moat_co *self, void *input);
void *cxx_suspended_in_destructor(moat_co *self, void *input);
void *cxx_suspended_in_throwing_destructor(moat_co *self, void *input);
void *cxx_throw_in_destructor(moat_co *self, void *input);
void *cxx_throw_in_handler(moat_co *self, void *input);
void *cxx_inside_handler(moat_co *self, void *input);
void *cxx_catch_inside_handler(moat_co *self, void *input);
void *cxx_by_type(moat_co *self, void *input);
void *cxx_by_name(moat_co *self, void *input);
void *cxx_uncaught(moat_co *self, void *input);
void *cxx_yield_in_catch(moat_co *self, void *input);

#ifdef __cplusplus
}
#endif

#endif
