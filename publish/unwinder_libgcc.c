/*
 * unwinder_libgcc.c: groups in libgcc's unwinder, which C++ exceptions,
 * moat_co_unwind and backtrace() use.
 *
 * They are registered by the functions that old start-up files call. These are
 * weak, as a program may have another unwinder that lacks them. libgcc sorts a
 * group at the first search after its registration, in memory that it
 * allocates; if it has none it searches one by one.
 *
 * libgcc 12 keeps its list under a lock, which each search takes once anything
 * has been registered. (libgcc 13 has a tree that needs no lock.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/unwinder.h"
#include "sys/supply.h"

/* libgcc's struct object, which has had six words so far. */
struct object {
    uintptr_t words[7];
    struct object *next; /* among those that rest */
};

struct libgcc_group {
    const void *rules[MOAT_GROUP_PIECES + 1]; /* up to NULL */
    struct object *object;                    /* while it is published */
};

/* NOLINTBEGIN(bugprone-reserved-identifier): libgcc's names */
extern void __register_frame_info_table(void *rules, void *object)
    __attribute__((weak));
extern void *__deregister_frame_info(const void *rules) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier) */

/*
 * libgcc 12 reads an object once more after it has released its lock, and calls
 * abort if the object was registered anew meanwhile. So each publication has an
 * object of its own, which is used again only after RESTING others have been
 * withdrawn: a thread that is about to read it has had more than a twentieth of
 * a second. Objects lie close together, as libgcc reads many of them to
 * withdraw one.
 */
#define RESTING ((size_t)65536)
#define BLOCK   ((size_t)1024)

static struct {
    struct object *fresh; /* of the last block */
    size_t fresh_count;
    struct object *oldest, *newest; /* that rest */
    size_t resting;
    size_t count, groups; /* no more groups than objects */
} objects;

static void rest_object(struct object *object)
{
    object->next = NULL;
    if (objects.resting == 0)
        objects.oldest = object;
    else
        objects.newest->next = object;
    objects.newest = object;
    objects.resting++;
}

static bool add_block(void)
{
    struct object *block = moat_supply_take(BLOCK * sizeof *block);

    if (block == NULL)
        return false;
    while (objects.fresh_count > 0)
        rest_object(&objects.fresh[--objects.fresh_count]);
    objects.fresh = block;
    objects.fresh_count = BLOCK;
    objects.count += BLOCK;
    return true;
}

/* There is an object for each group; if need be it is one that has not rested
 * long. */
static struct object *take_object(void)
{
    struct object *object = objects.oldest;

    if (objects.resting <= RESTING && (objects.fresh_count > 0 || add_block()))
        return &objects.fresh[--objects.fresh_count];
    objects.oldest = object->next;
    objects.resting--;
    return object;
}

static bool prepare(void *memory)
{
    (void)memory;
    if (objects.groups == objects.count && !add_block())
        return false;
    objects.groups++;
    return true;
}

static void publish(void *memory, const struct moat_piece *pieces, size_t count)
{
    struct libgcc_group *group = memory;

    for (size_t i = 0; i < count; i++)
        group->rules[i] = pieces[i].rules;
    group->rules[count] = NULL;
    if (__register_frame_info_table == NULL || __deregister_frame_info == NULL)
        return;
    group->object = take_object();
    __register_frame_info_table(group->rules, group->object);
}

static void withdraw(void *memory)
{
    struct libgcc_group *group = memory;

    if (__register_frame_info_table == NULL || __deregister_frame_info == NULL)
        return;
    (void)__deregister_frame_info(group->rules);
    rest_object(group->object);
}

const struct moat_unwinder moat_unwinder_libgcc = {
    .bytes = sizeof(struct libgcc_group),
    .prepare = prepare,
    .publish = publish,
    .withdraw = withdraw};
