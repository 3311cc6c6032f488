/*
 * threads.h: points of the backend threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_THREADS_H
#define MOAT_SWITCH_THREADS_H

#include <ucontext.h>

#include "switch/carrier.h"
#include "switch/point.h"

#define MOAT_SWITCH_NAME "threads"

#define MOAT_SWITCH_CREWS 1

/* As with ucontext. */
#define MOAT_SWITCH_STACK_BYTES 1536

static inline size_t moat_switch_least_stack(void)
{
    return 0; /* any */
}

static inline void moat_switch_shut_down(void)
{
}

/* See switch.h. */
void moat_switch_forget(const moat_co *co);

struct moat_point {
    struct moat_point_front front;
    ucontext_t context;
    struct moat_carrier *waiter; /* of the crew with that serial, if it waits
                                    for this point                           */
    uint64_t serial;
};

#endif
