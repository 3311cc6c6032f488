/*
 * shapes.h: random shapes of stacks: their frames, and how they grow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNWIND_SHAPES_H
#define TESTS_UNWIND_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/moat.h>

#include "tests/unwind/chain.h"

/* The position in a shape. `self` is the running coroutine, or NULL on the
 * host's stack and in a host call. */
struct shape {
    uint64_t random;   /* the generator's state */
    unsigned steps;    /* remaining steps */
    unsigned depth;    /* number of coroutines deep */
    bool traps;        /* whether it ends in a trap */
    bool in_service;   /* a trap here would be the host's */
    moat_co *self;     /* NULL: no transfer is possible here */
    moat_co *made[64]; /* all coroutines of the shape, oldest first */
    unsigned count;
};

unsigned shape_choose(struct shape *shape, unsigned choices);

/* Takes the next step, on top of the caller's frame. Returns when the shape has
 * ended. */
void shape_grow(struct shape *shape);

/* Functions with frames of many kinds, each of which grows the shape further
 * (shapes_frames.c). */
#define SHAPE_FRAMES 10
typedef void shape_frame(struct shape *shape);
extern shape_frame *const shape_frames[SHAPE_FRAMES];

/* Resumes out of line (shapes_outline.c). The function that resumed calls
 * `trapped`. */
moat_status shape_resume_outline(moat_co *co,
                                 void (*trapped)(const moat_co *co));

#endif
