/*
 * spec.h: a checked set of options, with copies of all that they point to.
 *
 * Specs of the host (moat_spec_create) and those that a thread makes for itself
 * have an index and are counted: one reference for the handle, one for each
 * home. The engine's lock guards the indexes and the counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_SPEC_H
#define MOAT_ENGINE_SPEC_H

#include <stdatomic.h>
#include <stdbool.h>

#include <moat/moat.h>

#define MOAT_SPEC_LANGUAGE_BYTES 16

struct spec {
    moat_spec head;          /* the public handle                          */
    moat_co_options options; /* resolved; points to the copies below       */
    size_t stack_bytes, guard_bytes; /* as they were asked for             */
    moat_limits limits;              /* zeros: none                        */
    moat_syscall_policy syscalls;    /* if `limits` points to it           */
    moat_script script;
    char language[MOAT_SPEC_LANGUAGE_BYTES];
    char *name; /* NULL: none                                 */
    size_t references;
    atomic_bool dead; /* destroyed: its homes go when they are empty */
};

static inline struct spec *spec_of(const moat_spec *handle)
{
    return (struct spec *)handle;
}

#define MOAT_DEFAULT_STACK_BYTES ((size_t)256 << 10)
#define MOAT_DEFAULT_GUARD_BYTES ((size_t)64 << 10)

/* The default options. It has no index and is not counted. */
extern struct spec moat_spec_default;

/* Frees what a filled spec holds. */
void moat_spec_clear(struct spec *spec);

/* Returns whether its coroutines are limited in time. */
bool moat_spec_limited(const struct spec *spec);

/* Returns whether the time of its coroutines is added up. */
bool moat_spec_accounted(const struct spec *spec);

/* Returns whether options have this spec's content, `user` aside. May say no
 * where a check would show that they mean the same. */
bool moat_spec_matches(const struct spec *spec, const moat_co_options *asked);

/* Returns whether a filled spec has the content of the default. */
bool moat_spec_is_default(const struct spec *spec);

/* Returns a number that equal contents share. */
uint64_t moat_spec_hash(const struct spec *spec);

/* Makes a spec with an index and one reference, a copy of a filled one.
 * MOAT_E_NOMEM. */
moat_status moat_spec_new(const struct spec *filled, struct spec **out);

/* Counts a reference more; one less, which may free it. Caller holds the
 * engine's lock. */
void moat_spec_hold(struct spec *spec);
void moat_spec_release(struct spec *spec);

#endif
