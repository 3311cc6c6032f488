/*
 * switch_moat.h: moat as an engine of bench/switch, with the status and the
 * event of each resume checked, as a careful host would.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SWITCH_MOAT_H
#define BENCH_SWITCH_MOAT_H

#include <stdlib.h>

#include <moat/moat.h>

struct task; /* a moat_co under the name that the cases use */

static inline void *resume(struct task *task, void *input)
{
    moat_event event;

    if (moat_co_resume((moat_co *)task, input, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_YIELD)
        abort();
    return event.value;
}

static inline void *yield(struct task *task, void *value)
{
    return moat_co_yield((moat_co *)task, value);
}

static struct task *make_task(void *(*guest)(struct task *, void *))
{
    moat_co *co;

    /* A cast of one pointer parameter; the ABI is the same. */
    if (moat_co_create(&co, (moat_entry)(void (*)(void))guest, NULL) != MOAT_OK)
        abort();
    return (struct task *)co;
}

static void drop_task(struct task *task)
{
    moat_co_destroy((moat_co *)task);
}

#include "bench/switch_cases.h"

#endif
