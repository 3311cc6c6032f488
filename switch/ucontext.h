/*
 * ucontext.h: points of the backend ucontext.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_UCONTEXT_H
#define MOAT_SWITCH_UCONTEXT_H

#include <ucontext.h>

#include "switch/point.h"

#define MOAT_SWITCH_NAME "ucontext"

/* Below the frame with the point: a landing, which calls a function with such a
 * frame. */
#define MOAT_SWITCH_STACK_BYTES 1536

static inline size_t moat_switch_least_stack(void)
{
    return 0; /* any */
}

static inline void moat_switch_shut_down(void)
{
}

struct moat_point {
    struct moat_point_front front;
    ucontext_t context;
};

#endif
