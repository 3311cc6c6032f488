/*
 * sigaltstack.h: points of the backend sigaltstack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_SIGALTSTACK_H
#define MOAT_SWITCH_SIGALTSTACK_H

#include <setjmp.h>
#include <stddef.h>

#include "arch/values.h"
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

/* The port has the usual way of a switch in assembler; portable.c has the rest.
 */
#ifdef MOAT_ARCH_POINT_BYTES
#    define MOAT_SWITCH_QUICK
_Static_assert(
    offsetof(struct moat_point, front.top) == MOAT_ARCH_POINT_TOP &&
        offsetof(struct moat_point, front.value) == MOAT_ARCH_POINT_VALUE &&
        offsetof(struct moat_point, front.word) == MOAT_ARCH_POINT_WORD &&
        offsetof(struct moat_point, front.co) == MOAT_ARCH_POINT_CO &&
        offsetof(struct moat_point, buffer) == MOAT_ARCH_POINT_BUFFER &&
        sizeof(struct moat_point) <= MOAT_ARCH_POINT_BYTES &&
        MOAT_SWITCH_STACK_BYTES == MOAT_ARCH_POINT_ROOM,
    "the port expects another point");
#endif

#endif
