/*
 * backtrace.h: backtraces of stopped coroutines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_BACKTRACE_H
#define MOAT_TRACE_BACKTRACE_H

#include <moat/backtrace.h>

#include "trace/ends.h"
#include "trap/coroutine.h"

/* As moat_co_backtrace, for the caller of the frame with `from_sp`, which has
 * checked its stack; *out is zero. */
moat_status moat_backtrace_both_ends(const moat_co *handle, uintptr_t from_sp,
                                     struct moat_both_ends *out);

/* Walks the stack of a trapped coroutine for the sake of its trap record's
 * `lock` alone, which is set afterwards: "" if no function was found. */
moat_status moat_backtrace_search_locks(const struct co *co);

#endif
