/*
 * resume.h: the parts of a resume that a cancel, a transfer and a reset share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_RESUME_H
#define MOAT_ENGINE_RESUME_H

#include <moat/moat.h>

#include "engine/coroutine.h"

/* Makes a coroutine ready to be entered. */
void moat_resume_prepare(struct co *co, moat_entry entry);

/* MOAT_E_INVAL, MOAT_E_THREAD, MOAT_E_STATE: it may not be resumed so. */
moat_status moat_resume_check(const struct co *co, const moat_event *out);

/* Around the time that a coroutine runs, as far as its limits and its use of
 * time are concerned; the inline resume does not need them. */
moat_status moat_resume_begin_clocks(struct co *co);
void moat_resume_end_clocks(struct co *co);

/* A resume up to its way back. On MOAT_OK an uninterruptible section is open:
 * note the resumer of a trap, then call moat_resume_finish for back->co. */
moat_status moat_resume_run(struct co *co, void *input, uint64_t command,
                            struct moat_switched *back);

/* Does what a yield, a return or a trap needs, and fills in the event. The
 * section is closed before deferred functions run. */
moat_status moat_resume_finish(const struct moat_switched *back,
                               moat_event *out);

/* Notes where to find the frame that resumed: the caller of the function in
 * which the macro stands, since that frame is live when the event arrives. The
 * stack pointer is the one before the call. */
#define MOAT_NOTE_RESUMER(co)                                             \
    do {                                                                  \
        cold_of(co)->resumer_pc = (uintptr_t)__builtin_return_address(0); \
        cold_of(co)->resumer_sp =                                         \
            (uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *);   \
    } while (0)

#endif
