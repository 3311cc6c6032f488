/*
 * shapes.h: random shapes of stacks: what one is made of, and how it grows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_SHAPES_H
#define TESTS_UNWIND_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/moat.h>

#include "tests/unwind/chain.h"

/* Where a shape stands: the running coroutine, or NULL on the host's stack and
 * in a service on another's. */
struct shape {
    uint64_t random;   /* the generator's state                    */
    unsigned steps;    /* left before it ends                      */
    unsigned depth;    /* of coroutines                            */
    bool traps;        /* how it ends                              */
    bool in_service;   /* a trap here would be the host's          */
    moat_co *self;     /* NULL: nobody here can hand its place on  */
    moat_co *made[64]; /* all coroutines of the shape, last first */
    unsigned count;
};

unsigned shape_choose(struct shape *shape, unsigned choices);

/* The next step, on top of the caller's frame; comes back when the shape has
 * ended. */
void shape_grow(struct shape *shape);

/* Frames of many kinds, each of which grows on (shapes_frames.c). */
#define SHAPE_FRAMES 10
typedef void shape_frame(struct shape *shape);
extern shape_frame *const shape_frames[SHAPE_FRAMES];

/* A resume out of line (shapes_outline.c); `trapped` is called from the
 * function that resumed. */
moat_status shape_resume_outline(moat_co *co,
                                 void (*trapped)(const moat_co *co));

#endif
