/*
 * script.h: the frames of one coroutine's script.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_SCRIPT_H
#define MOAT_TRACE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/script.h>

/* A frame of a script that was kept. */
struct moat_script_line {
    size_t number;     /* among the script's frames; 0 is the innermost      */
    size_t gap;        /* how many before it are missing                     */
    size_t activation; /* of the loop that runs it: how many lie further in  */
    bool after_skip;   /* there may be more than were counted                */
    size_t position;   /* the native frame after which it stands             */
    bool in_gap;       /* native frames after that one were left out         */
    const char *language;
    int line;
    char function[96], source[128];
};

/* A read of one script. Lines beyond the room overwrite others: the first
 * `head` of them stay, the rest is a ring that keeps the last. */
struct moat_script_walk {
    const moat_co *co;
    struct moat_script_line *lines;
    size_t head, room;
    size_t count;       /* frames that were named                            */
    size_t skipped;     /* frames that were not                              */
    size_t activations; /* of the loop, that have been passed                */
    const char *error;  /* why it is incomplete; NULL: it is not. Static     */
};

/* Reads the frames of the walk's coroutine. Returns the error; NULL: none. */
const char *moat_script_read(struct moat_script_walk *walk);

#endif
