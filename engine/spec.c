/*
 * spec.c: checked sets of options.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/spec.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lock.h"
#include "sys/lock.h"
#include "sys/supply.h"

struct spec moat_spec_default = {
    .options = {sizeof(moat_co_options), MOAT_DEFAULT_STACK_BYTES,
                MOAT_DEFAULT_GUARD_BYTES, 0, NULL, NULL, NULL, NULL, NULL, NULL,
                MOAT_STACK_OWN},
};

/* --- content -------------------------------------------------------------- */

void moat_spec_clear(struct spec *spec)
{
    free(spec->name);
    spec->name = NULL;
}

bool moat_spec_limited(const struct spec *spec)
{
    return spec->limits.resume_cpu_ns != 0 || spec->limits.wall_ns != 0 ||
           spec->limits.total_cpu_ns != 0 || spec->limits.total_wall_ns != 0 ||
           spec->limits.slice_ns != 0;
}

bool moat_spec_accounted(const struct spec *spec)
{
    return (spec->options.flags & MOAT_CO_EXACT_USAGE) != 0 ||
           spec->limits.total_cpu_ns != 0 || spec->limits.total_wall_ns != 0;
}

/* --- content compared ----------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_policy(const moat_syscall_policy *kept,
                        const moat_syscall_policy *asked)
{
    if (kept == NULL || asked == NULL)
        return kept == asked;
    return asked->struct_size == sizeof *asked &&
           kept->decide == asked->decide && kept->arg == asked->arg &&
           kept->code == asked->code && kept->code_bytes == asked->code_bytes;
}

static bool same_limits(const moat_limits *kept, const moat_limits *asked)
{
    if (kept == NULL || asked == NULL)
        return kept == asked;
    return asked->struct_size == sizeof *asked &&
           memcmp(kept, asked, offsetof(moat_limits, syscalls)) == 0 &&
           same_policy(kept->syscalls, asked->syscalls);
}

/* The spec keeps only so much of the language. */
static bool same_language(const char *kept, const char *asked)
{
    return kept == asked || (kept != NULL && asked != NULL &&
                             strlen(asked) < MOAT_SPEC_LANGUAGE_BYTES &&
                             strcmp(kept, asked) == 0);
}

static bool same_script(const moat_script *kept, const moat_script *asked)
{
    if (kept == NULL || asked == NULL)
        return kept == asked;
    return asked->struct_size == sizeof *asked && kept->walk == asked->walk &&
           kept->runs == asked->runs &&
           same_language(kept->language, asked->language);
}

bool moat_spec_matches(const struct spec *spec, const moat_co_options *asked)
{
    const moat_co_options *kept = &spec->options;

    return asked->struct_size == sizeof *asked &&
           (asked->stack_bytes == spec->stack_bytes ||
            asked->stack_bytes == kept->stack_bytes) &&
           (asked->guard_bytes == spec->guard_bytes ||
            asked->guard_bytes == kept->guard_bytes) &&
           asked->flags == kept->flags && asked->heap == kept->heap &&
           asked->stack_kind == kept->stack_kind &&
           asked->stack_memory == kept->stack_memory &&
           same_text(kept->name, asked->name) &&
           same_limits(kept->limits, asked->limits) &&
           same_script(kept->script, asked->script);
}

bool moat_spec_is_default(const struct spec *spec)
{
    return moat_spec_matches(&moat_spec_default, &spec->options);
}

static uint64_t add(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* FNV-1a. A pair that collides only costs a comparison. */
uint64_t moat_spec_hash(const struct spec *spec)
{
    const moat_co_options *options = &spec->options;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = add(hash, &options->stack_bytes, sizeof options->stack_bytes);
    hash = add(hash, &options->guard_bytes, sizeof options->guard_bytes);
    hash = add(hash, &options->flags, sizeof options->flags);
    hash = add(hash, &options->heap, sizeof(void *));
    hash = add(hash, &options->stack_kind, sizeof options->stack_kind);
    hash = add(hash, &spec->limits, offsetof(moat_limits, syscalls));
    if (spec->limits.syscalls != NULL)
        hash = add(hash, &spec->syscalls, sizeof spec->syscalls);
    hash = add(hash, &spec->script.walk, sizeof spec->script.walk);
    if (spec->name != NULL)
        hash = add(hash, spec->name, strlen(spec->name));
    return hash;
}

/* --- indexes -------------------------------------------------------------- */

/* Under the engine's lock. Index 0 belongs to no spec. */
static struct {
    struct spec **all;
    size_t length;
    size_t free_from; /* below it all are in use */
} table = {NULL, 0, 1};

static moat_status grow(void)
{
    size_t length = table.length != 0 ? 2 * table.length : 16;
    struct spec **all = moat_supply_take(length * sizeof(void *));

    if (all == NULL)
        return MOAT_E_NOMEM;
    if (table.all != NULL)
        memcpy(all, table.all, table.length * sizeof(void *));
    moat_free_later(table.all);
    table.all = all;
    table.length = length;
    return MOAT_OK;
}

static moat_status give_index(struct spec *spec)
{
    size_t index = table.free_from;

    while (index < table.length && table.all[index] != NULL)
        index++;
    if (index >= table.length && grow() != MOAT_OK)
        return MOAT_E_NOMEM;
    table.all[index] = spec;
    table.free_from = index + 1;
    spec->head.index = index;
    return MOAT_OK;
}

static void take_index(const struct spec *spec)
{
    size_t index = spec->head.index;

    table.all[index] = NULL;
    if (index < table.free_from)
        table.free_from = index;
}

/* --- references ----------------------------------------------------------- */

/* Copies a spec, which points to copies beside it, and its name after it. */
static struct spec *copy(const struct spec *filled)
{
    size_t name_bytes = filled->name != NULL ? strlen(filled->name) + 1 : 0;
    struct spec *spec = malloc(sizeof *spec + name_bytes);

    if (spec == NULL)
        return NULL;
    memcpy(spec, filled, sizeof *spec);
    if (name_bytes != 0)
        spec->options.name = spec->name =
            memcpy(spec + 1, filled->name, name_bytes);
    if (spec->options.limits != NULL)
        spec->options.limits = &spec->limits;
    if (spec->limits.syscalls != NULL)
        spec->limits.syscalls = &spec->syscalls;
    if (spec->options.script != NULL)
        spec->options.script = &spec->script;
    if (spec->script.language != NULL)
        spec->script.language = spec->language;
    spec->references = 1;
    atomic_init(&spec->dead, false);
    return spec;
}

moat_status moat_spec_new(const struct spec *filled, struct spec **out)
{
    struct spec *spec = copy(filled);
    moat_status status;

    if (spec == NULL)
        return MOAT_E_NOMEM;
    do {
        moat_engine_lock();
        status = give_index(spec);
        moat_engine_unlock();
    } while (moat_supply_fill(status));
    if (status == MOAT_OK)
        *out = spec;
    else
        free(spec);
    return status;
}

void moat_spec_hold(struct spec *spec)
{
    if (spec != &moat_spec_default)
        spec->references++;
}

void moat_spec_release(struct spec *spec)
{
    if (spec == &moat_spec_default || --spec->references != 0)
        return;
    take_index(spec);
    moat_free_later(spec);
}
