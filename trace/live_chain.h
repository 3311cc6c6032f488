/*
 * live_chain.h: the frames of the running thread, across coroutine borders.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_LIVE_CHAIN_H
#define MOAT_TRACE_LIVE_CHAIN_H

#include "trace/trace.h"

/* Appends the caller's live chain from the frame that resumed `co`; nothing if
 * that frame is gone. */
void moat_live_append(const struct co *co, struct moat_trace *trace,
                      uintptr_t from_sp);

/* Stores the registers of the frame that resumed a trapped coroutine, as a
 * backtrace shows it, for the caller of the frame with `from_sp`; zeros if that
 * frame is gone. The caller has checked its stack. */
void moat_live_resumer(const struct co *co, uintptr_t from_sp, moat_regs *out);

#endif
