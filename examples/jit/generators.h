/*
 * generators.h: the generators of a program, each a coroutine, and what
 * compiled code leaves to C: to start one, and all that comes of a resume but
 * a plain yield.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_GENERATORS_H
#define DITCH_GENERATORS_H

#include <stdint.h>

#include <moat/moat.h>

#include "ast.h"
#include "parse.h"

#define GENERATORS_MOST 1024 /* that a program starts in its life, and one */

struct generator {
    moat_co *co;
    int64_t value; /* what it has yielded or returned last     */
    struct generators *all;
    int64_t arguments[PARAMETERS_MOST]; /* the last one first  */
};

struct generators {
    struct generator *at[GENERATORS_MOST]; /* by number; 0 is none's */
    unsigned count;
    /* Called on the host's stack for one that has trapped, while those who have
     * resumed it stand where they are. NULL: nobody wants to know. */
    void (*report)(const moat_co *co, void *user);
    void *user;
};

/* What the code has pushed for a start. */
struct start {
    moat_entry entry; /* finds its generator by moat_co_user */
    const struct function *function;
    int64_t arguments[PARAMETERS_MOST]; /* as many as the function has */
};

/* What the code has on its stack behind a resume. */
struct resumed {
    moat_event event; /* where the status is MOAT_OK */
    struct generator *generator;
};

/* They are called by code, on a guest's stack; errors of the script end in
 * moat_trap_raise. The number of a new one; */
int64_t generators_start(moat_co *self, const struct start *start,
                         struct generators *all);
/* 1 if it has yielded, 0 if it has returned; */
int64_t generators_take(moat_co *self, const struct resumed *resumed,
                        moat_status status);
/* an error: a number is none's. */
void generators_miss(moat_co *self);

/* The text of an error, by the number that moat_trap_raise was given; NULL: it
 * is none of these. */
const char *generators_error(int code);
/* Is it in another generator, and reported with that one? */
bool generators_error_is_passed_on(int code);

void generators_free(struct generators *all);

#endif
