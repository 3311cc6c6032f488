/*
 * kinds.h: the kinds of tasks: options that were checked, and their specs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_KINDS_H
#define SCHED_KINDS_H

#include <stddef.h>
#include <stdint.h>

#include <moat/co.h>
#include <moat/sched.h>

#define NAME_BYTES 24

/* Options of a task, copied: padding and all, so that bytes can be compared. */
struct asked_options {
    moat_limits limits; /* all zero: none */
    moat_heap *heap;
    size_t stack_bytes;
    char name[NAME_BYTES];
    size_t migratable; /* 0 or 1; as wide as the others, so without padding */
};

struct kind {
    struct kind *next;
    struct asked_options options;
    moat_spec *spec;
    size_t users; /* tasks that have not started; of the ordinary kind, which
                     is not dropped, they are not counted */
    bool sliced;  /* they are interrupted        */
    bool moves;   /* they may change the thread  */
    bool plain;   /* ordinary, and without limits, slices and heaps */
};

struct kinds {
    struct kind *first; /* the one used last */
    size_t count;
    uint64_t slice_ns;
    bool many_threads;
    struct kind *ordinary; /* of tasks without options; is not dropped */
};

static inline void kind_keep(const struct kinds *kinds, struct kind *kind)
{
    if (kind != kinds->ordinary)
        kind->users++;
}

static inline void kind_release(const struct kinds *kinds, struct kind *kind)
{
    if (kind != kinds->ordinary)
        kind->users--;
}

/* Reads options, on the caller's stack. NULL: all defaults. */
moat_status moat_kinds_read(struct asked_options *to,
                            const moat_task_options *options);
/* A name, as much of it as fits into NAME_BYTES that are zero. NULL: none. */
void moat_kinds_read_name(char *to, const char *name);
/* Finds or makes a kind. */
moat_status moat_kinds_find(struct kinds *kinds,
                            const struct asked_options *options,
                            struct kind **out);
/* The kind of tasks that are spawned without options. */
moat_status moat_kinds_set_ordinary(struct kinds *kinds,
                                    const struct asked_options *options);
void moat_kinds_free(struct kinds *kinds);

#endif
