/*
 * real.h: the C library's own functions, which those of the same names here
 * call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_REAL_H
#define MOAT_MALLOC_REAL_H

#include <stdatomic.h>

/* A function by its name. */
struct moat_real {
    const char *name;
    _Atomic(void *) address; /* NULL: not found yet */
};

/* Begins the definition of one: MOAT_REAL real = {"fputs", NULL}. All lie in
 * one section and are found when this library is loaded: a search at the first
 * call would take a lock in a signal handler that calls _exit, and would make
 * dlerror forget the error that it is asked for. */
#define MOAT_REAL static struct moat_real __attribute__((section("moat_reals")))

/* Stores the address of the next function of that name, in the order in which
 * the dynamic linker searches, in the pointer to a function at `out`. Aborts
 * with a message if there is none. The search takes the dynamic linker's lock,
 * on the host's stack. */
void moat_real_get(struct moat_real *real, void *out);

#endif
