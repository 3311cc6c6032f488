/*
 * kinds.c: the kinds of tasks. A run keeps a few, the one used last first, and
 * forgets the one that was not used for the longest time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "sched/kinds.h"
#include "sched/structs.h"

#define MOST_KINDS  32
#define STACK_BYTES ((size_t)64 << 10)

static moat_status read_limits(moat_limits *to, const moat_limits *limits)
{
    moat_status status = moat_sched_copy_in(
        to, sizeof *to, limits, offsetof(moat_limits, memory_bytes));

    to->struct_size = sizeof *to;
    return status;
}

void moat_kinds_read_name(char *to, const char *name)
{
    for (size_t i = 0; name != NULL && i < NAME_BYTES - 1 && name[i] != '\0';
         i++)
        to[i] = name[i];
}

moat_status moat_kinds_read(struct asked_options *to,
                            const moat_task_options *options)
{
    moat_task_options copy = MOAT_TASK_OPTIONS_INIT;
    moat_status status = MOAT_OK;

    memset(to, 0, sizeof *to);
    to->stack_bytes = STACK_BYTES;
    if (options == NULL)
        return MOAT_OK;
    status = moat_sched_copy_in(&copy, sizeof copy, options, sizeof copy);
    if (status != MOAT_OK)
        return status;
    if (copy.stack_bytes != 0)
        to->stack_bytes = copy.stack_bytes;
    to->heap = copy.heap;
    to->migratable = copy.migratable;
    moat_kinds_read_name(to->name, copy.name);
    return copy.limits != NULL ? read_limits(&to->limits, copy.limits)
                               : MOAT_OK;
}

static moat_status make_spec(const struct kinds *kinds,
                             const struct asked_options *asked, moat_spec **out)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = asked->limits;

    limits.struct_size = sizeof limits;
    if (limits.slice_ns == 0)
        limits.slice_ns = kinds->slice_ns;
    options.stack_bytes = asked->stack_bytes;
    options.name = asked->name[0] != '\0' ? asked->name : NULL;
    options.heap = asked->heap;
    if (asked->limits.struct_size != 0 || limits.slice_ns != 0)
        options.limits = &limits;
    return moat_spec_create(out, &options);
}

/* Takes the kind out of the list; NULL: it is not there. */
static struct kind *take(struct kinds *kinds,
                         const struct asked_options *options)
{
    for (struct kind **at = &kinds->first; *at != NULL; at = &(*at)->next) {
        struct kind *kind = *at;

        if (memcmp(&kind->options, options, sizeof *options) == 0) {
            *at = kind->next;
            return kind;
        }
    }
    return NULL;
}

static void drop_oldest(struct kinds *kinds)
{
    struct kind **oldest = NULL;

    for (struct kind **at = &kinds->first; *at != NULL; at = &(*at)->next)
        if ((*at)->users == 0 && *at != kinds->ordinary)
            oldest = at;
    if (oldest != NULL) {
        struct kind *kind = *oldest;

        *oldest = kind->next;
        moat_spec_destroy(kind->spec);
        free(kind);
        kinds->count--;
    }
}

static moat_status make(struct kinds *kinds,
                        const struct asked_options *options, struct kind **out)
{
    struct kind *kind = calloc(1, sizeof *kind);
    moat_status status;

    if (kind == NULL)
        return MOAT_E_NOMEM;
    memcpy(&kind->options, options, sizeof *options);
    kind->sliced = options->limits.slice_ns != 0 || kinds->slice_ns != 0;
    kind->moves = options->migratable != 0 && kinds->many_threads;
    status = make_spec(kinds, options, &kind->spec);
    if (status != MOAT_OK) {
        free(kind);
        return status;
    }
    if (kinds->count >= MOST_KINDS)
        drop_oldest(kinds);
    kinds->count++;
    *out = kind;
    return MOAT_OK;
}

moat_status moat_kinds_find(struct kinds *kinds,
                            const struct asked_options *options,
                            struct kind **out)
{
    struct kind *kind = take(kinds, options);
    moat_status status = kind != NULL ? MOAT_OK : make(kinds, options, &kind);

    if (status != MOAT_OK)
        return status;
    kind->next = kinds->first;
    kinds->first = kind;
    *out = kind;
    return MOAT_OK;
}

moat_status moat_kinds_set_ordinary(struct kinds *kinds,
                                    const struct asked_options *options)
{
    struct kind *kind;
    moat_status status = moat_kinds_find(kinds, options, &kind);

    if (status != MOAT_OK)
        return status;
    kinds->ordinary = kind;
    kind->plain = options->limits.struct_size == 0 && options->heap == NULL &&
                  !kind->sliced && options->migratable == 0;
    return MOAT_OK;
}

void moat_kinds_free(struct kinds *kinds)
{
    while (kinds->first != NULL) {
        struct kind *kind = kinds->first;

        kinds->first = kind->next;
        moat_spec_destroy(kind->spec);
        free(kind);
    }
}
