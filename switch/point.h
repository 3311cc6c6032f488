/*
 * point.h: where a side of a switch waits: what a backend implements besides
 * its struct moat_point, for portable.c.
 *
 * A point lies in the frame that switches, on the stack of its side, so neither
 * a coroutine nor a resume takes other memory for it. It is used once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SWITCH_POINT_H
#define MOAT_SWITCH_POINT_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/co.h>

/* The first member of struct moat_point: what the other side hands over. */
struct moat_point_front {
    uintptr_t top; /* the stack pointer; a trap lands below. First, for arch */
    void *value;
    uint64_t word;  /* the kind of event, or the command                      */
    moat_co *co;    /* the guest that the event is from                       */
    bool suspended; /* a guest waits here, not a resume; for threads          */
};

struct moat_point;

/* Stores the caller's side in `here` and continues at `there`. Returns when
 * `here` continues. */
void moat_point_swap(struct moat_point *here, struct moat_point *there);

/* Stores the caller's side in `here` and calls first(co), which never returns,
 * on the stack that ends at `base`. Returns when `here` continues. */
void moat_point_start(struct moat_point *here, uintptr_t base,
                      void (*first)(moat_co *co), moat_co *co);

/* Continues at `there`. */
MOAT_NORETURN void moat_point_go(struct moat_point *there);

#endif
