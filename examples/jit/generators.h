/*
 * generators.h: the generators of a program, each a coroutine. Compiled code
 * calls C to start one and after every resume that did not end in a yield.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_GENERATORS_H
#define DITCH_GENERATORS_H

#include <stdint.h>

#include <moat/moat.h>

#include "ast.h"
#include "parse.h"

#define MAX_GENERATORS 1024 /* a program can start one fewer */

struct generator {
    moat_co *co;
    int64_t value; /* the last one yielded or returned         */
    struct generators *all;
    int64_t arguments[MAX_PARAMETERS]; /* in reverse order    */
};

struct generators {
    struct generator *at[MAX_GENERATORS]; /* by number, from 1 */
    unsigned count;
    /* Called on the host's stack for a trapped generator while its resumers'
     * frames are still there. May be NULL. */
    void (*report)(const moat_co *co, void *user);
    void *user;
};

/* Pushed by the code before a start. */
struct start {
    moat_entry entry; /* its generator is moat_co_user */
    const struct function *function;
    int64_t arguments[MAX_PARAMETERS]; /* only the function's are there */
};

/* On the stack of the code after a resume. */
struct resumed {
    moat_event event; /* valid if the status is MOAT_OK */
    struct generator *generator;
};

/* Compiled code calls these three on a guest's stack. Errors of the script end
 * in moat_trap_raise. */

/* Returns the number of a new generator. */
int64_t generators_start(moat_co *self, const struct start *start,
                         struct generators *all);
/* Returns 1 if the generator yielded, 0 if it returned. */
int64_t generators_take(moat_co *self, const struct resumed *resumed,
                        moat_status status);
/* Raises the error that no generator has this number. */
void generators_miss(moat_co *self);

/* Returns the text of an error by its moat_trap_raise code; NULL if it is not
 * an error of generators. */
const char *generators_error(int code);
/* Returns whether the error came from another generator, which was reported. */
bool generators_error_is_passed_on(int code);

void generators_free(struct generators *all);

#endif
