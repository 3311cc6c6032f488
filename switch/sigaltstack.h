/*
 * sigaltstack.h: points of the backend sigaltstack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_SIGALTSTACK_H
#define MOAT_SWITCH_SIGALTSTACK_H

#include <setjmp.h>

#include "switch/point.h"

#define MOAT_SWITCH_NAME "sigaltstack"

/* Below the frame with the point: as with ucontext, and a first entry. */
#define MOAT_SWITCH_STACK_BYTES 1536

/* The least stack: its first use is the frame of a signal. */
size_t moat_switch_least_stack(void);

/* Restores the signal that entries use. */
void moat_switch_shut_down(void);

struct moat_point {
    struct moat_point_front front;
    jmp_buf buffer;
};

#endif
