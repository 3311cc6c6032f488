/*
 * held.h: locks that guests hold, and initialisations that they have begun.
 * They are released when the guest is stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_HELD_H
#define MOAT_MALLOC_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <moat/moat.h>

/* X(name): what a guest can hold. After the guest's end the next call begins an
 * initialisation (ONCE, GUARD) again, and reads the options of the command line
 * (OPTIONS) from the start. The object of a folder is its descriptor, not a
 * pointer. */
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

/* The objects that one guest holds. */
struct moat_holder;

/* Releases an object that a guest held when it was stopped. Called on the
 * host's stack; the object's memory can be read, and is not the guest's, except
 * for that of a mutex. */
typedef void moat_held_undo(void *object);

/* Each is set by the file whose functions take objects of that kind. */
extern moat_held_undo *moat_held_undos[MOAT_HELD_KINDS];

/* The following are called on the host's stack, in a host call of the guest, so
 * that they are not interrupted. */

/* Makes room for one more object. NULL: no memory, or the guest has ended. */
struct moat_holder *moat_held_prepare(moat_co *co);
/* Notes that the guest has taken the object once more. */
void moat_held_add(struct moat_holder *holder, enum moat_held_kind kind,
                   void *object);
/* Notes that the guest has released it once. False: it had not taken it. */
bool moat_held_remove(moat_co *co, enum moat_held_kind kind,
                      const void *object);

/* The numbers of notes, hashed by the objects' addresses. */
#define MOAT_HELD_SLOTS 1024u

extern atomic_uint moat_held_notes[MOAT_HELD_SLOTS];

static inline atomic_uint *moat_held_notes_of(const void *object)
{
    return &moat_held_notes[((uintptr_t)object >> 3) % MOAT_HELD_SLOTS];
}

/* Drops the note of a guest on this thread whose object the host, or another
 * guest, is about to release. */
void moat_held_forget(enum moat_held_kind kind, const void *object);

/* Called before the host releases an object. */
static inline void moat_held_returned(enum moat_held_kind kind,
                                      const void *object)
{
    if (MOAT_UNLIKELY(atomic_load_explicit(moat_held_notes_of(object),
                                           memory_order_relaxed) != 0))
        moat_held_forget(kind, object);
}

#endif
