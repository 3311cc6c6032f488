/*
 * copied.h: coroutines that take turns on one stack (MOAT_STACK_COPIED).
 *
 * A berth is a guarded stack of a thread's. The coroutines with the same sizes
 * share it: the frames of one, its occupant, are in the berth; the frames of
 * the others, which are away, are images in the thread's area (stack/area.h). A
 * coroutine stays the occupant when it yields. Only when another one has to
 * come in are its frames copied out, so one that is resumed again at once runs
 * like any other.
 *
 * CO_AWAY marks one that is away. Its token, and while it is suspended its
 * state, is that of the slow path, where it is brought in; the inline code
 * knows nothing of this kind. A fresh one is away without an image, as its root
 * frame can be written anew.
 *
 * While the occupant runs, or waits for a coroutine that it has resumed, no
 * other can come in.
 *
 * The slot of such a coroutine has no stack of its own: it is of a class with
 * entries only. Its bounds are the berth's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_COPIED_H
#define MOAT_ENGINE_COPIED_H

#include "engine/coroutine.h"
#include "stack/area.h"
#include "stack/arena.h"
#include "stack/pool.h"

/* Flag of the control record: see above. */
#define CO_AWAY ((uint16_t)1 << 6)

/* Above all tokens that the inline functions allow. */
#define MOAT_AWAY_TOKEN ((uint64_t)MOAT_TOKEN_STEP - 1)

/* The kind of the switch that leaves a guest for the resumer, who brings
 * another in and continues with that: a transfer in one berth. */
#define MOAT_SWITCH_BRING 7

struct moat_berth {
    struct moat_berth *next;
    size_t usable_bytes, guard_bytes; /* as asked for                        */
    struct moat_slot *stack;
    uintptr_t base;      /* of the stack                                     */
    struct co *occupant; /* NULL: none                                       */
    bool hidden;         /* inaccessible, as a stray pointer would be used   */
    bool blocks;         /* the CPU can exchange blocks of memory            */
};

/* A thread's. */
struct moat_copied {
    struct moat_berth *berths; /* used last comes first                       */
    struct moat_area area;
    size_t away;     /* coroutines with an image                             */
    struct co *next; /* of a MOAT_SWITCH_BRING                               */
};

static inline bool moat_is_copied(const struct co *co)
{
    return co->slot.arena->stack_class->usable_bytes == 0;
}

static inline bool moat_is_away(const struct co *co)
{
    return (co->control.flags & CO_AWAY) != 0;
}

/* Finds the berth for such sizes, or makes it. MOAT_E_NOMEM and as from
 * moat_pool_get. */
moat_status moat_copied_find(struct moat_copied *copied, struct moat_pool *pool,
                             size_t usable_bytes, size_t guard_bytes,
                             struct moat_berth **out);

/* Returns it, if it has been made; else NULL. */
struct moat_berth *moat_copied_named(const struct moat_copied *copied,
                                     size_t usable_bytes, size_t guard_bytes);

/* Sets the bounds of a new coroutine. */
void moat_copied_place(struct co *co, const struct moat_berth *berth);

/* Makes a coroutine fresh, and away. Its former frames are dropped. */
void moat_copied_prepare(struct moat_copied *copied, struct co *co);

/* Must be called after the registers of one that is away were changed. */
void moat_copied_note_berth(const struct moat_copied *copied, struct co *co);

/* Brings a coroutine in that is away. MOAT_E_STATE: another one of the berth
 * runs, or waits for one that it has resumed; MOAT_E_NOMEM: no memory for the
 * occupant's frames. */
moat_status moat_copied_bring(struct moat_copied *copied, struct co *co);

/* Brings a coroutine in, and its berth's occupant out, if that is a turn of the
 * plain kind (turn.h), and there is memory. */
bool moat_copied_exchange(struct moat_copied *copied, struct moat_berth *berth,
                          struct co *co, uint64_t token);

/* Returns whether it cannot be brought in, though it is away. */
bool moat_copied_is_blocked(const struct moat_copied *copied,
                            const struct co *co);

/* Returns the occupant of a coroutine's berth. */
struct co *moat_copied_occupant(const struct moat_copied *copied,
                                const struct co *co);

/* In builds that find stray pointers (assertions, sanitizers):
 * copies the occupant out, if it is suspended, and makes the berth
 * inaccessible. In other builds it does nothing. */
void moat_copied_hide(struct moat_copied *copied, const struct co *co);

/* Ends the use of the berth, and restores the bounds of the slot. */
void moat_copied_end(struct moat_copied *copied, struct co *co);

/* The image of one that is away; false: it has none. */
bool moat_copied_image(const struct co *co, uintptr_t *low, uintptr_t *high);

/* Moves the images of the arenas' coroutines together. */
void moat_copied_compact(struct moat_copied *copied);

/* The thread ends: its berths go to the pool. Images stay. */
void moat_copied_close(struct moat_copied *copied, struct moat_pool *pool);

#endif
