/*
 * unwinder_libunwind.c: groups in libunwind's dynamic registration.
 *
 * A table that libunwind searches by halves holds distances of 32 bits: of the
 * code from the first code in it, and of the rules from a base address. So a
 * group is published as runs of neighbours that are within reach of each other:
 * as one run, unless code or rules are far apart. Runs do not interleave, as
 * libunwind searches only the first one that an address could be in. An address
 * between two codes of a run is then looked up elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <string.h>

#include "publish/unwinder.h"

/* libunwind's struct table_entry. */
struct row {
    int32_t code, rules;
};

_Static_assert(sizeof(struct row) == sizeof(unw_word_t),
               "libunwind counts the table in words");

struct libunwind_group {
    size_t run_count;
    struct row rows[MOAT_GROUP_PIECES];
    unw_dyn_info_t runs[MOAT_GROUP_PIECES];
};

static int32_t distance(uintptr_t to, uintptr_t from)
{
    return (int32_t)(intptr_t)(to - from);
}

static bool reaches(uintptr_t to, uintptr_t from)
{
    return (intptr_t)(to - from) == distance(to, from);
}

/* Begins a table without rows. */
static void begin_run(unw_dyn_info_t *run, const struct moat_piece *first,
                      const struct row *rows)
{
    memset(run, 0, sizeof *run);
    run->format = UNW_INFO_FORMAT_IP_OFFSET;
    run->start_ip = first->begin;
    run->u.rti.segbase = (uintptr_t)first->fde;
    run->u.rti.table_data = (uintptr_t)rows;
}

/* False: the piece is out of reach, at its end at least. */
static bool add_to_run(unw_dyn_info_t *run, const struct moat_piece *piece,
                       struct row *row)
{
    if (!reaches(piece->end, run->start_ip) ||
        !reaches((uintptr_t)piece->fde, run->u.rti.segbase))
        return false;
    row->code = distance(piece->begin, run->start_ip);
    row->rules = distance((uintptr_t)piece->fde, run->u.rti.segbase);
    run->end_ip = piece->end;
    run->u.rti.table_len++;
    return true;
}

static void publish(void *memory, const struct moat_piece *pieces, size_t count)
{
    struct libunwind_group *group = memory;
    unw_dyn_info_t *run = NULL;

    group->run_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (run != NULL && add_to_run(run, &pieces[i], &group->rows[i]))
            continue;
        run = &group->runs[group->run_count++];
        begin_run(run, &pieces[i], &group->rows[i]);
        group->rows[i] = (struct row){0, 0};
        run->end_ip = pieces[i].end;
        run->u.rti.table_len = 1;
    }
    for (size_t i = 0; i < group->run_count; i++)
        _U_dyn_register(&group->runs[i]);
}

static void withdraw(void *memory)
{
    struct libunwind_group *group = memory;

    for (size_t i = 0; i < group->run_count; i++)
        _U_dyn_cancel(&group->runs[i]);
}

static void forget(void)
{
    unw_flush_cache(unw_local_addr_space, 0, 0);
}

const struct moat_unwinder moat_unwinder_libunwind = {
    .bytes = sizeof(struct libunwind_group),
    .read_by_walks = true,
    .publish = publish,
    .withdraw = withdraw,
    .forget = forget};
