/*
 * home.h: where a thread keeps spare coroutines. <moat/cpu.h> includes it; the
 * inline create and destroy read and write it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HOME_H
#define MOAT_HOME_H

#include <stdint.h>

struct moat_co;
struct moat_thread;
struct moat_spec;

/*
 * A home: the coroutines that one thread has made from one spec.
 *
 * `spare` heads the list of those that are ready to be entered. A destroyed
 * coroutine that left nothing to do goes to this list, with its record and its
 * stack, and the next create from the same spec takes it: both are inline, and
 * a few loads and stores. In a record on the list `resumer`, which is free
 * then, is the next one.
 *
 * Only the owner writes these words: the inline functions, and the library on
 * the owner's thread. Three are exceptions. Other threads read `spares`, to
 * count the coroutines that live in the process (moat_engine_get_info,
 * moat_engine_shutdown), and may see a value that is stale by a few calls. The
 * thread that destroys the spec sets `max` to 0. And threads that adopt
 * coroutines of this home count them in `departed`.
 */
struct moat_home {
    struct moat_co *spare;     /* NULL: none                                */
    uint64_t spares;           /* length of the list                        */
    uint64_t max;              /* with so many, a destroy calls the library */
    struct moat_spec *spec;    /* NULL: they have options of their own      */
    struct moat_thread *owner; /* the thread                                */
    uint64_t made;             /* those that exist, spares included         */
    uint64_t prepared;         /* so many spares are for its spec alone     */
    struct moat_home *next;    /* of the thread                             */
    uint64_t departed;         /* of those made: other threads' by now      */
};

#endif
