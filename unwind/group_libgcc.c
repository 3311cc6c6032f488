/*
 * group_libgcc.c: groups as libgcc knows them, whose unwinder C++ exceptions,
 * moat_co_unwind and backtrace() use.
 *
 * The functions are those that the start-up files of old call; they are weak,
 * as a program may have another unwinder that lacks them. libgcc sorts a group
 * at the first search after it was registered, with memory of its own; without
 * it searches one by one.
 *
 * libgcc 12 keeps its list under a lock, which each search takes once anything
 * has been registered. (libgcc 13 has a tree that needs none.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "unwind/publication.h"

/* libgcc's struct object, of six words so far. */
struct object {
    uintptr_t words[8];
};

struct libgcc_group {
    const void *rules[MOAT_GROUP_PIECES + 1]; /* up to NULL */
    struct object *object;
};

/* NOLINTBEGIN(bugprone-reserved-identifier): libgcc's names */
extern void __register_frame_info_table(void *rules, void *object)
    __attribute__((weak));
extern void *__deregister_frame_info(const void *rules) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier) */

/* Objects lie close together: to withdraw one libgcc looks at many. They are
 * never given back, as groups are not. */
static struct object *take_object(void)
{
    static struct object *block;
    static size_t left;

    if (left == 0) {
        block = malloc(64 * sizeof *block);
        if (block == NULL)
            return NULL;
        left = 64;
    }
    return &block[--left];
}

static bool prepare(void *memory)
{
    struct libgcc_group *group = memory;

    group->object = take_object();
    return group->object != NULL;
}

static void publish(void *memory, const struct moat_piece *const *pieces,
                    size_t count)
{
    struct libgcc_group *group = memory;

    for (size_t i = 0; i < count; i++)
        group->rules[i] = pieces[i]->rules;
    group->rules[count] = NULL;
    if (__register_frame_info_table != NULL && __deregister_frame_info != NULL)
        __register_frame_info_table(group->rules, group->object);
}

static void withdraw(void *memory)
{
    struct libgcc_group *group = memory;

    if (__register_frame_info_table != NULL && __deregister_frame_info != NULL)
        (void)__deregister_frame_info(group->rules);
}

static void forget(void)
{
}

const struct moat_unwinder moat_unwinder_libgcc = {
    sizeof(struct libgcc_group), prepare, publish, withdraw, forget};
