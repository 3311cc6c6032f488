/*
 * list.h: circular lists in both directions. An entry leaves its list without
 * knowing which list that is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LIST_H
#define SCHED_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link {
    struct link *next, *prev;
};

/* The object that has `link` as the member of that name. */
#define LINKED(link, type, member) \
    ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct link *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct link *list)
{
    return list->next == list;
}

/* Where an entry will be. Its neighbours are named before they are changed, so
 * that the change can be made again. */
struct aim {
    struct link *entry, *prev, *next;
};

/* The end of a list. The entry names its neighbours then. */
static inline struct aim list_aim(const struct link *list, struct link *entry)
{
    struct aim aim = {entry, list->prev, (struct link *)(uintptr_t)list};

    entry->prev = aim.prev;
    entry->next = aim.next;
    return aim;
}

static inline void list_hit(struct aim aim)
{
    aim.prev->next = aim.entry;
    aim.next->prev = aim.entry;
}

/* Puts an entry between the two that it names. */
static inline void list_relink(struct link *entry)
{
    list_hit((struct aim){entry, entry->prev, entry->next});
}

static inline void list_append(struct link *list, struct link *entry)
{
    entry->prev = list->prev;
    entry->next = list;
    list->prev->next = entry;
    list->prev = entry;
}

/* The entry's own links are not valid afterwards. */
static inline void list_unlink(const struct link *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
}

/* An entry that is on no list points to itself: it may be removed again. */
static inline void list_remove(struct link *entry)
{
    list_unlink(entry);
    list_init(entry);
}

#endif
