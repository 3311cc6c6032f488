/*
 * held.h: locks that guests hold, and initialisations that they have begun. A
 * guest that is stopped with one gives it back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_HELD_H
#define MOAT_MALLOC_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <moat/moat.h>

/* X(name): what a guest can hold. An initialisation (ONCE, GUARD) is begun
 * again by the next who asks; options of the command line are read from the
 * start. A folder's object is no pointer, but its descriptor. */
/* clang-format off */
#define MOAT_HELD_MAP(X)                                                       \
    X(MUTEX) X(READ_LOCK) X(WRITE_LOCK) X(SPIN_LOCK) X(SEMAPHORE) X(ONCE)      \
    X(GUARD) X(OPTIONS) X(FOLDER)
/* clang-format on */

enum moat_held_kind {
#define MOAT_HELD_ENUM(name) MOAT_HELD_##name,
    MOAT_HELD_MAP(MOAT_HELD_ENUM)
#undef MOAT_HELD_ENUM
        MOAT_HELD_KINDS
};

/* What one guest holds. */
struct moat_holder;

/* Gives back one that a guest was stopped with. On the host's stack; the memory
 * can be read, and is not the guest's. */
typedef void moat_held_undo(void *object);

/* Set for each kind by whoever takes such. */
extern moat_held_undo *moat_held_undos[MOAT_HELD_KINDS];

/* All of these are called on the host's stack, in a host call of the guest, so
 * that none is interrupted. */

/* Makes room for one more. NULL: no memory, or the guest has ended. */
struct moat_holder *moat_held_prepare(moat_co *co);
/* The guest has taken it once more. */
void moat_held_add(struct moat_holder *holder, enum moat_held_kind kind,
                   void *object);
/* The guest has given it back once. False: it had not taken it. */
bool moat_held_remove(moat_co *co, enum moat_held_kind kind,
                      const void *object);

/* How many notes there are, by the objects' addresses. */
#define MOAT_HELD_SLOTS 1024u

extern atomic_uint moat_held_notes[MOAT_HELD_SLOTS];

static inline atomic_uint *moat_held_notes_of(const void *object)
{
    return &moat_held_notes[((uintptr_t)object >> 3) % MOAT_HELD_SLOTS];
}

/* The host has given back what a guest on this thread had taken, which has not
 * ended yet. */
void moat_held_forget(enum moat_held_kind kind, const void *object);

/* Called whenever the host gives one back. */
static inline void moat_held_returned(enum moat_held_kind kind,
                                      const void *object)
{
    if (MOAT_UNLIKELY(atomic_load_explicit(moat_held_notes_of(object),
                                           memory_order_relaxed) != 0))
        moat_held_forget(kind, object);
}

#endif
