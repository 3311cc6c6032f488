/*
 * crimes_libc.c: guests that fault in C code or through the C library.
 *
 * SPDX-License-Identifier: MIT
 */
#undef NDEBUG /* the assert below is the crime */

#include "crimes.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Neither a tail call nor something that a compiler could turn into a loop. */
static __attribute__((noinline)) unsigned descend(volatile unsigned *depth)
{
    volatile unsigned here = *depth + 1;

    if (here == 0)
        return 0;
    return descend(&here) + here;
}

void *crime_recursion(moat_co *self, void *scene)
{
    volatile unsigned depth = 0;

    (void)self;
    (void)scene;
    return (void *)(uintptr_t)descend(&depth);
}

/* A C library function that no sanitizer replaces. */
/* UBSan would report the null pointer before the C library uses it. */
__attribute__((no_sanitize("undefined"))) void *crime_swab(moat_co *self,
                                                           void *scene)
{
    const struct scene *s = scene;

    (void)self;
    swab(scene, (void *)s->target, 2);
    return NULL;
}

void *crime_abort(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    abort();
}

void *crime_assert(moat_co *self, void *scene)
{
    (void)self;
    assert(scene == NULL);
    return NULL;
}

static void *raise_and_go_on(int signo)
{
    (void)raise(signo);
    return NULL;
}

void *crime_raise_segv(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return raise_and_go_on(SIGSEGV);
}

void *crime_raise_bus(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return raise_and_go_on(SIGBUS);
}

void *crime_raise_ill(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return raise_and_go_on(SIGILL);
}

void *crime_raise_fpe(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return raise_and_go_on(SIGFPE);
}

void *crime_raise_trap(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return raise_and_go_on(SIGTRAP);
}

void *crime_trap_raise(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    moat_trap_raise(CRIME_USER_CODE);
}
