/*
 * play.h: what the parts of the target share: the input, the model, and the
 * handles of the coroutines that the model has numbers for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_STATES_PLAY_H
#define FUZZ_STATES_PLAY_H

#include "input.h"
#include "model.h"
#include "target.h"

struct play {
    struct input in;
    struct model m;
    moat_co *handle[CO_MAX];
    unsigned
        depth[CO_MAX + 1];    /* nested calls on each stack; the host's first */
    unsigned batches[CO_MAX]; /* in which it is: it must not be destroyed    */
    unsigned serial;          /* makes values that differ                  */
    bool transferring;        /* the next to be entered is transferred to  */
    bool recovered;           /* a fault ends the innermost call           */
    moat_trap_kind kind;      /* of that fault                             */
    int user_code;
};

extern struct play play;

/* HOST's is NULL. */
static inline moat_co *play_handle(int co)
{
    return co == HOST ? NULL : play.handle[co];
}

/* Picks a coroutine; HOST where there is none. */
static inline int play_pick(void)
{
    int co = (int)input_below(&play.in, CO_MAX + 1) - 1;

    return co != HOST && play.m.co[co].exists ? co : HOST;
}

/* Takes operations from the input and performs them, until one returns or the
 * input ends. */
void play_on(void);

/* --- guests.c ------------------------------------------------------------- */

void *play_guest(moat_co *self, void *input);

/* A value for a coroutine, by which it knows that it is its own. */
void *play_value_for(int co);

/* A coroutine goes on, with that input. */
void play_entered(int co, const void *input);

/* --- creating.c, crimes.c, threads.c -------------------------------------- */

bool play_create(void);
bool play_create_many(void);
bool play_crime(void);
bool play_thread(void);

/* Notes that the coroutine exists. */
void play_made(int co, moat_co *handle, const char *name, void *user);

/* Returns a number that is free; HOST: none. */
int play_free_number(void);

#endif
