/*
 * groups.c: registered code in groups of neighbours, for unwinders that search
 * what was registered one by one.
 *
 * What unwinders can see of a group never changes, except for one word: a piece
 * that is removed gets a size of zero in its FDE, which all of them read before
 * they take it. A removed piece is dropped when its group is replaced: at the
 * next addition to it, or when most of its pieces are removed. The unwinders
 * are told of the new group first, and then the old one is withdrawn, so that a
 * thread that unwinds meanwhile finds the code in one or the other.
 *
 * The memory of a withdrawn group, with the rules of removed pieces, rests: it
 * is used again only some changes later. libunwind's readers, other than moat's
 * walks, take no lock, and may still be in it.
 *
 * Between changes:
 * - Groups ascend, and so do the pieces of a group. No group has lost all of
 *   its pieces.
 * - No piece reaches over the start of the next group, as libgcc would look for
 *   it there alone.
 * - There are enough spare groups for a removal, which cannot fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/groups.h"

#include <string.h>

#include "sys/lock.h"
#include "sys/search.h"
#include "sys/supply.h"
#include "unwind/walks.h"

/* How many changes a group's memory rests. */
#define RESTING ((size_t)4)

/* In the order in which they are told. Another unwinder is added here. */
static const struct moat_unwinder *const unwinders[] = {
    &moat_unwinder_libgcc,
    &moat_unwinder_libunwind,
};
#define UNWINDERS (sizeof unwinders / sizeof unwinders[0])

struct group {
    struct group *next;                  /* among the spares            */
    size_t count, gone;                  /* pieces; those removed       */
    uintptr_t begins[MOAT_GROUP_PIECES]; /* apart from the pieces, so that a
                                            search reads few cache lines */
    struct moat_piece pieces[MOAT_GROUP_PIECES];
    void *memory[UNWINDERS];
    max_align_t all_memory[];
};

struct slot {
    uintptr_t from; /* where the group's first piece begins */
    struct group *group;
};

static struct {
    struct slot *all;
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

static size_t memory_bytes(void)
{
    size_t bytes = 0;

    for (size_t i = 0; i < UNWINDERS; i++)
        bytes += aligned(unwinders[i]->bytes);
    return bytes;
}

static bool prepare(struct group *group)
{
    char *memory = (char *)group->all_memory;

    for (size_t i = 0; i < UNWINDERS; i++) {
        group->memory[i] = memory;
        memory += aligned(unwinders[i]->bytes);
        if (unwinders[i]->prepare != NULL &&
            !unwinders[i]->prepare(group->memory[i]))
            return false;
    }
    return true;
}

static struct group *new_group(void)
{
    struct group *group = moat_supply_take(sizeof *group + memory_bytes());

    if (group == NULL)
        return NULL;
    group->count = group->gone = 0;
    if (prepare(group))
        return group;
    moat_free_later(group);
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

/* Frees the rules of removed pieces, too. */
static void empty(struct group *group)
{
    for (size_t i = 0; i < group->count && group->gone > 0; i++)
        if (group->pieces[i].fde == NULL)
            moat_free_later(group->pieces[i].rules);
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

static moat_status reserve_spares(size_t wanted)
{
    while (groups.spare_count < wanted) {
        struct group *made = new_group();

        if (made == NULL)
            return MOAT_E_NOMEM;
        keep(made);
        moat_supply_keep();
    }
    return MOAT_OK;
}

static moat_status reserve_slots(size_t wanted)
{
    size_t room = 2 * wanted + 8;
    struct slot *more;

    if (wanted <= groups.room)
        return MOAT_OK;
    more = moat_supply_take(room * sizeof *groups.all);
    if (more == NULL)
        return MOAT_E_NOMEM;
    if (groups.count > 0)
        memcpy(more, groups.all, groups.count * sizeof *groups.all);
    moat_free_later(groups.all);
    groups.all = more;
    groups.room = room;
    moat_supply_keep();
    return MOAT_OK;
}

/* An addition takes two at most. The other spares are for removals, which take
 * one and set one free. */
static moat_status reserve(size_t more_groups)
{
    moat_status status = reserve_spares(RESTING + 3 + more_groups);

    return status == MOAT_OK ? reserve_slots(groups.count + 1 + more_groups)
                             : status;
}

/* Pieces in ascending order fill whole groups. */
moat_status moat_groups_prepare(size_t pieces)
{
    return reserve((pieces + MOAT_GROUP_PIECES - 1) / MOAT_GROUP_PIECES);
}

/* --- searches ------------------------------------------------------------ */

static size_t pieces_up_to(const struct group *group, uintptr_t address)
{
    return moat_keys_up_to(group->begins, 1, group->count, address);
}

/* Returns the group in which a piece that begins there belongs. */
static size_t group_for(uintptr_t begin)
{
    size_t up_to = 0;

    if (groups.count > 0)
        up_to =
            moat_keys_up_to(&groups.all[0].from, MOAT_KEY_STRIDE(struct slot),
                            groups.count, begin);
    return up_to > 0 ? up_to - 1 : 0;
}

/* --- changes ------------------------------------------------------------- */

static size_t left_in(const struct group *group)
{
    return group->count - group->gone;
}

/* Appends the pieces [first, end) of another group that are not removed. */
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

/* Groups that replace others. */
struct exchange {
    struct group *const *added;
    size_t added_count;
    struct group *old[2];
    size_t old_count;
};

/* The new ones come first: a thread that unwinds meanwhile finds the code in
 * one or the other. */
static void tell(size_t unwinder, const struct exchange *exchange)
{
    const struct moat_unwinder *told = unwinders[unwinder];

    for (size_t i = 0; i < exchange->added_count; i++) {
        const struct group *added = exchange->added[i];

        told->publish(added->memory[unwinder], added->pieces, added->count);
    }
    for (size_t i = 0; i < exchange->old_count; i++)
        told->withdraw(exchange->old[i]->memory[unwinder]);
}

static void tell_all(const struct exchange *exchange)
{
    for (size_t i = 0; i < UNWINDERS; i++) {
        if (unwinders[i]->read_by_walks)
            moat_walks_stop();
        tell(i, exchange);
        if (unwinders[i]->read_by_walks)
            moat_walks_go();
    }
    for (size_t i = 0; i < exchange->old_count; i++)
        keep(exchange->old[i]);
}

/* Replaces up to two groups by others. No walk of moat's sees some of both. */
static void replace(size_t at, size_t old_count, struct group *const *added,
                    size_t new_count)
{
    struct exchange exchange = {added, new_count, {NULL, NULL}, old_count};

    for (size_t i = 0; i < old_count; i++)
        exchange.old[i] = groups.all[at + i].group;
    memmove(&groups.all[at + new_count], &groups.all[at + old_count],
            (groups.count - at - old_count) * sizeof groups.all[0]);
    for (size_t i = 0; i < new_count; i++)
        groups.all[at + i] = (struct slot){added[i]->begins[0], added[i]};
    groups.count += new_count;
    groups.count -= old_count;
    tell_all(&exchange);
}

/* Returns whether so many pieces fit into the next group, with room for more.
 */
static bool fits(size_t at, size_t count)
{
    return at + 1 < groups.count &&
           count + left_in(groups.all[at + 1].group) <= MOAT_GROUP_PIECES / 2;
}

/* Drops a group without pieces. No rules are kept once all groups are gone. */
static void drop(size_t at)
{
    replace(at, 1, NULL, 0);
    if (groups.count == 0)
        for (struct group *spare = groups.oldest; spare; spare = spare->next)
            empty(spare);
}

/* Replaces the group by one without its removed pieces, or by one with those of
 * the next group, too. */
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

/* Splits a full group, and adds the piece to one of the halves. */
static void split(size_t at, const struct moat_piece *piece)
{
    const struct group *old = groups.all[at].group;
    const size_t half = MOAT_GROUP_PIECES / 2;
    struct group *halves[2] = {take(), take()};

    append(halves[0], old, 0, half);
    append(halves[1], old, half, old->count);
    insert(halves[piece->begin > halves[1]->begins[0]], piece);
    replace(at, 1, halves, 2);
}

static void add_alone(size_t at, const struct moat_piece *piece)
{
    struct group *alone = take();

    insert(alone, piece);
    replace(at, 0, &alone, 1);
}

static void add_to(size_t at, const struct moat_piece *piece)
{
    const struct group *old = groups.all[at].group;
    struct group *larger = take();

    append(larger, old, 0, old->count);
    insert(larger, piece);
    replace(at, 1, &larger, 1);
}

moat_status moat_groups_add(const struct moat_piece *piece)
{
    size_t at = group_for(piece->begin);
    const struct group *old;

    if (reserve(0) != MOAT_OK)
        return MOAT_E_NOMEM;
    /* The piece reaches over removed ones at the start of the next group. */
    while (at + 1 < groups.count && groups.all[at + 1].from < piece->end)
        shrink(at + 1);
    old = groups.count > 0 ? groups.all[at].group : NULL;
    if (old == NULL)
        add_alone(0, piece);
    else if (left_in(old) < MOAT_GROUP_PIECES)
        add_to(at, piece);
    else if (piece->begin > old->begins[old->count - 1])
        add_alone(at + 1, piece); /* code often comes in ascending order */
    else
        split(at, piece);
    return MOAT_OK;
}

/* No walk of moat's is under way while it changes. */
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
    for (size_t i = 0; i < UNWINDERS; i++)
        if (unwinders[i]->forget != NULL)
            unwinders[i]->forget();
}
