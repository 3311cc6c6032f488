/*
 * groups.c: registered code in groups of neighbours, for unwinders that search
 * one by one.
 *
 * What unwinders see of a group never changes, but for one word: a piece that
 * is removed gets a size of zero in its FDE, at which all of them look before
 * they take it. It is dropped when the group is made anew, at the next addition
 * or when most of it is gone: the unwinders are told of the new group, and the
 * old one is withdrawn then, so that a thread that unwinds meanwhile finds the
 * code in one or the other. The old one's memory, with the rules that were
 * dropped, is used again only some changes later: libunwind's readers, other
 * than moat's walks, take no lock, and may still stand in it.
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
    size_t count, gone;
    uintptr_t begins[MOAT_GROUP_PIECES]; /* of the pieces: a search looks at few
                                            lines of the cache */
    struct moat_piece pieces[MOAT_GROUP_PIECES]; /* fde NULL: it is gone */
    void *libgcc, *libunwind;
    max_align_t memory[]; /* of both */
};

struct place {
    uintptr_t from; /* where the group's first piece begins */
    struct group *group;
};

/* Ascending; no group is without a piece that is there. */
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
    group->count = group->gone = 0;
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

/* And the rules that were dropped with it. */
static void empty(struct group *group)
{
    for (size_t i = 0; i < group->count && group->gone > 0; i++)
        if (group->pieces[i].fde == NULL)
            free(group->pieces[i].rules);
    group->count = group->gone = 0;
}

static struct group *take(void)
{
    struct group *spare = groups.oldest;

    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): reserve made some */
    groups.oldest = spare->next;
    groups.spare_count--;
    empty(spare);
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

/* The group in which a piece that begins there is, or would be. */
static size_t group_for(uintptr_t begin)
{
    size_t up_to = groups_up_to(begin);

    return up_to > 0 ? up_to - 1 : 0;
}

/* --- changes ------------------------------------------------------------- */

static size_t left_in(const struct group *group)
{
    return group->count - group->gone;
}

/* Those of the other's pieces from `first` on that are there, up to `end`. */
static void append(struct group *to, const struct group *from, size_t first,
                   size_t end)
{
    if (from->gone == 0) {
        memcpy(&to->begins[to->count], &from->begins[first],
               (end - first) * sizeof from->begins[0]);
        memcpy(&to->pieces[to->count], &from->pieces[first],
               (end - first) * sizeof from->pieces[0]);
        to->count += end - first;
        return;
    }
    for (size_t i = first; i < end; i++) {
        if (from->pieces[i].fde != NULL) {
            to->begins[to->count] = from->begins[i];
            to->pieces[to->count++] = from->pieces[i];
        }
    }
}

static void insert(struct group *group, const struct moat_piece *piece)
{
    size_t at = pieces_up_to(group, piece->begin);

    memmove(&group->begins[at + 1], &group->begins[at],
            (group->count - at) * sizeof group->begins[0]);
    memmove(&group->pieces[at + 1], &group->pieces[at],
            (group->count - at) * sizeof group->pieces[0]);
    group->begins[at] = piece->begin;
    group->pieces[at] = *piece;
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

/* Do the pieces that are left go into the next group, with room for more? */
static bool fits(size_t at, size_t count)
{
    return at + 1 < groups.count &&
           count + left_in(groups.all[at + 1].group) <= MOAT_GROUP_PIECES / 2;
}

/* No rules are kept once there are none to tell of. */
static void drop(size_t at)
{
    replace(at, 1, NULL, 0);
    if (groups.count == 0)
        for (struct group *spare = groups.oldest; spare; spare = spare->next)
            empty(spare);
}

/* The group without what is gone. */
static void shrink(size_t at)
{
    const struct group *old = groups.all[at].group, *next;
    struct group *left;

    if (left_in(old) == 0) {
        drop(at);
        return;
    }
    left = take();
    append(left, old, 0, old->count);
    if (fits(at, left->count)) {
        next = groups.all[at + 1].group;
        append(left, next, 0, next->count);
        replace(at, 2, &left, 1);
    } else {
        replace(at, 1, &left, 1);
    }
}

moat_status moat_groups_add(const struct moat_piece *piece)
{
    const size_t half = MOAT_GROUP_PIECES / 2;
    size_t at = group_for(piece->begin);
    const struct group *old;
    struct group *news[2];

    if (reserve() != MOAT_OK)
        return MOAT_E_NOMEM;
    /* The next one's first piece is gone, and this one reaches over its place.
     * libgcc would look for it there alone. */
    while (at + 1 < groups.count && groups.all[at + 1].from < piece->end)
        shrink(at + 1);
    news[0] = take();
    if (groups.count == 0) {
        insert(news[0], piece);
        replace(0, 0, news, 1);
        return MOAT_OK;
    }
    old = groups.all[at].group;
    if (left_in(old) < MOAT_GROUP_PIECES) {
        append(news[0], old, 0, old->count);
        insert(news[0], piece);
        replace(at, 1, news, 1);
        return MOAT_OK;
    }
    if (piece->begin > old->begins[old->count - 1]) {
        insert(news[0], piece); /* code often comes in ascending order */
        replace(at + 1, 0, news, 1);
        return MOAT_OK;
    }
    news[1] = take();
    append(news[0], old, 0, half);
    append(news[1], old, half, old->count);
    insert(news[piece->begin > news[1]->begins[0]], piece);
    replace(at, 1, news, 2);
    return MOAT_OK;
}

/* No walk of moat's is in the middle of it. */
static void remove_piece(struct moat_piece *piece)
{
    moat_walks_stop();
    __atomic_store_n(&piece->fde->size, 0, __ATOMIC_RELEASE);
    moat_walks_go();
    piece->fde = NULL;
}

void moat_groups_remove(uintptr_t begin)
{
    size_t at = group_for(begin);
    struct group *group = groups.all[at].group;

    remove_piece(&group->pieces[pieces_up_to(group, begin) - 1]);
    group->gone++;
    if (group->gone > group->count / 2)
        shrink(at);
    moat_unwinder_libgcc.forget();
    moat_unwinder_libunwind.forget();
}
