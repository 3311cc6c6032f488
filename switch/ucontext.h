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

struct moat_point {
    struct moat_point_front front;
    ucontext_t context;
};

#endif
