/*
 * result.h: the result of a task, on its way to the task that waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_RESULT_H
#define SCHED_RESULT_H

#include <moat/sched.h>

/* Copies a result inside the library, where only that of a trap has a record.
 * It is most of the struct. */
static inline void result_copy(moat_result *to, const moat_result *from)
{
    to->kind = from->kind;
    to->value = from->value;
    to->status = from->status;
    if (MOAT_UNLIKELY(from->kind == MOAT_EVENT_TRAP))
        to->trap = from->trap;
}

/* Copies a result to the program. */
static inline void result_show(moat_result *to, const moat_result *from)
{
    static const moat_trap_info none = MOAT_TRAP_INFO_INIT;

    if (MOAT_LIKELY(from->kind != MOAT_EVENT_TRAP))
        to->trap = none;
    result_copy(to, from);
}

#endif
