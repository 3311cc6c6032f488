/*
 * groups.c: registered code in groups of neighbours, for unwinders that search
 * one by one.
 *
 * A group never changes: a change at a place makes another group, tells the
 * unwinders of it, and withdraws the old one then: a thread that unwinds
 * meanwhile finds the code in one or the other. The old one's memory is used
 * again only some changes later, and never given back: libunwind's readers,
 * other than moat's walks, take no lock, and may still stand in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "unwind/publication.h"
#include "unwind/unwind.h"

#define RESTING \
    ((size_t)4) /* how many changes a group's memory is left alone */

struct group {
    struct group *next; /* among the spares */
    size_t count;
    uintptr_t begins[MOAT_GROUP_PIECES]; /* searched without a look at these: */
    const struct moat_piece *pieces[MOAT_GROUP_PIECES];
    void *libgcc, *libunwind;
    max_align_t memory[]; /* of both */
};

struct place {
    uintptr_t from; /* where the group's first piece begins */
    struct group *group;
};

/* Ascending; no group is empty. */
static struct {
    struct place *all;
    size_t count, room;
    struct group *oldest, *newest; /* spares */
    size_t spare_count;
} groups;

/* --- memory -------------------------------------------------------------- */

static size_t aligned(size_t bytes)
{
    const size_t unit = sizeof(max_align_t);

    return (bytes + unit - 1) / unit * unit;
}

static struct group *new_group(void)
{
    size_t libgcc = aligned(moat_unwinder_libgcc.bytes);
    size_t libunwind = aligned(moat_unwinder_libunwind.bytes);
    struct group *group = malloc(sizeof *group + libgcc + libunwind);

    if (group == NULL)
        return NULL;
    group->libgcc = group->memory;
    group->libunwind = (char *)group->memory + libgcc;
    if (moat_unwinder_libgcc.prepare(group->libgcc) &&
        moat_unwinder_libunwind.prepare(group->libunwind))
        return group;
    free(group);
    return NULL;
}

static void keep(struct group *spare)
{
    spare->next = NULL;
    if (groups.oldest == NULL)
        groups.oldest = spare;
    else
        groups.newest->next = spare;
    groups.newest = spare;
    groups.spare_count++;
}

static struct group *take(void)
{
    struct group *spare = groups.oldest;

    groups.oldest = spare->next;
    groups.spare_count--;
    spare->count = 0;
    return spare;
}

/* An add takes two at most; the rest are for removals, which take one and give
 * it back. */
static moat_status reserve(void)
{
    while (groups.spare_count < RESTING + 3) {
        struct group *made = new_group();

        if (made == NULL)
            return MOAT_E_NOMEM;
        keep(made);
    }
    if (groups.count == groups.room) {
        size_t room = 2 * groups.room + 8;
        struct place *more = realloc(groups.all, room * sizeof *groups.all);

        if (more == NULL)
            return MOAT_E_NOMEM;
        groups.all = more;
        groups.room = room;
    }
    return MOAT_OK;
}

/* --- searches ------------------------------------------------------------ */

/* How many groups begin at or below the address? */
static size_t groups_up_to(uintptr_t address)
{
    size_t low = 0, high = groups.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (groups.all[middle].from <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many of the group's pieces do? */
static size_t pieces_up_to(const struct group *group, uintptr_t address)
{
    size_t low = 0, high = group->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (group->begins[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The group in which the piece is, or would be. */
static size_t group_for(const struct moat_piece *piece)
{
    size_t up_to = groups_up_to(piece->begin);

    return up_to > 0 ? up_to - 1 : 0;
}

/* --- changes ------------------------------------------------------------- */

/* The other's pieces from `first` on, `count` of them. */
static void append(struct group *to, const struct group *from, size_t first,
                   size_t count)
{
    memcpy(&to->begins[to->count], &from->begins[first],
           count * sizeof from->begins[0]);
    memcpy(&to->pieces[to->count], &from->pieces[first],
           count * sizeof from->pieces[0]);
    to->count += count;
}

static void insert(struct group *group, const struct moat_piece *piece)
{
    size_t at = pieces_up_to(group, piece->begin);
    size_t behind = group->count - at;

    memmove(&group->begins[at + 1], &group->begins[at],
            behind * sizeof group->begins[0]);
    memmove(&group->pieces[at + 1], &group->pieces[at],
            behind * sizeof group->pieces[0]);
    group->begins[at] = piece->begin;
    group->pieces[at] = piece;
    group->count++;
}

static void publish(struct group *group)
{
    moat_unwinder_libgcc.publish(group->libgcc, group->pieces, group->count);
    moat_unwinder_libunwind.publish(group->libunwind, group->pieces,
                                    group->count);
}

static void withdraw(struct group *group)
{
    moat_unwinder_libunwind.withdraw(group->libunwind);
    moat_unwinder_libgcc.withdraw(group->libgcc);
    keep(group);
}

/* Puts `made` new groups in the place of `gone` old ones. No walk of moat's
 * sees some of both. */
static void replace(size_t at, size_t gone, struct group *const *news,
                    size_t made)
{
    struct group *olds[2] = {NULL, NULL};

    for (size_t i = 0; i < gone; i++)
        olds[i] = groups.all[at + i].group;
    memmove(&groups.all[at + made], &groups.all[at + gone],
            (groups.count - at - gone) * sizeof groups.all[0]);
    for (size_t i = 0; i < made; i++)
        groups.all[at + i] = (struct place){news[i]->begins[0], news[i]};
    groups.count += made;
    groups.count -= gone;
    moat_walks_stop();
    for (size_t i = 0; i < made; i++)
        publish(news[i]);
    for (size_t i = 0; i < gone; i++)
        withdraw(olds[i]);
    moat_walks_go();
}

moat_status moat_groups_add(const struct moat_piece *piece)
{
    const size_t half = MOAT_GROUP_PIECES / 2;
    size_t at = group_for(piece);
    const struct group *old;
    struct group *news[2];

    if (reserve() != MOAT_OK)
        return MOAT_E_NOMEM;
    news[0] = take();
    if (groups.count == 0) {
        insert(news[0], piece);
        replace(0, 0, news, 1);
        return MOAT_OK;
    }
    old = groups.all[at].group;
    if (old->count < MOAT_GROUP_PIECES) {
        append(news[0], old, 0, old->count);
        insert(news[0], piece);
        replace(at, 1, news, 1);
        return MOAT_OK;
    }
    news[1] = take();
    append(news[0], old, 0, half);
    append(news[1], old, half, old->count - half);
    insert(news[piece->begin > news[1]->begins[0]], piece);
    replace(at, 1, news, 2);
    return MOAT_OK;
}

/* Do the pieces that are left go into the next group, with room for more? */
static bool fits(size_t at, size_t count)
{
    return at + 1 < groups.count &&
           count + groups.all[at + 1].group->count <= MOAT_GROUP_PIECES / 2;
}

void moat_groups_remove(const struct moat_piece *piece)
{
    size_t at = group_for(piece);
    const struct group *old = groups.all[at].group;
    size_t place = pieces_up_to(old, piece->begin) - 1;
    const struct group *next;
    struct group *left;

    if (old->count == 1) {
        replace(at, 1, NULL, 0);
    } else {
        left = take();
        append(left, old, 0, place);
        append(left, old, place + 1, old->count - place - 1);
        if (fits(at, left->count)) {
            next = groups.all[at + 1].group;
            append(left, next, 0, next->count);
            replace(at, 2, &left, 1);
        } else {
            replace(at, 1, &left, 1);
        }
    }
    moat_unwinder_libgcc.forget();
    moat_unwinder_libunwind.forget();
}
