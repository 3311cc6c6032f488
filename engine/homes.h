/*
 * homes.h: a thread's homes, one for each spec that it uses, and the spare
 * coroutines in them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_HOMES_H
#define MOAT_ENGINE_HOMES_H

#include <moat/moat.h>

#include "engine/coroutine.h"
#include "engine/spec.h"
#include "stack/pool.h"

/* At most so many specs does a thread make for itself. */
#define MOAT_RECENT_SPECS 4

/* Options that a create has had more than once. */
struct moat_recent {
    struct spec *spec; /* NULL: unused                              */
    struct moat_home *home;
};

/* Other threads walk the list under the engine's lock, and set `sweep` when a
 * home's spec was destroyed. */
struct moat_homes {
    struct moat_home usual; /* of the default options                     */
    struct moat_home loose; /* of options met for the first time: it keeps
                               none                                       */
    struct moat_home *first;
    uintptr_t *array; /* as moat_tls.homes; malloc'd                    */
    atomic_bool sweep;
    struct moat_recent recent[MOAT_RECENT_SPECS];
    unsigned last, oldest; /* of `recent`: the one used last, and the one
                              to be replaced next                        */
    uint64_t seen[8];      /* hashes of options that came once           */
};

/* Make this thread's homes, and free them once all coroutines in them are gone
 * or have no owner. The caller of the latter holds the engine's lock. */
void moat_homes_open(struct moat_homes *homes, struct moat_thread *owner);
void moat_homes_free(struct moat_homes *homes);

/* The thread ends: its words lead to no home any more. */
void moat_homes_close(struct moat_homes *homes);

/* Returns this thread's home for a spec that is not the default; NULL: none. */
struct moat_home *moat_home_lookup(const struct spec *spec);

/* Finds this thread's home for a spec, or makes it. MOAT_E_NOMEM. */
moat_status moat_home_find(struct moat_homes *homes, struct spec *spec,
                           struct moat_home **out);

/* Returns the home for options that a create had lately; NULL: none. */
struct moat_home *moat_homes_recent(struct moat_homes *homes,
                                    const moat_co_options *asked);

/* Finds the home for checked options: when they come again, a spec is made of
 * them, and for clones at once. NULL never: the loose one at the least. */
struct moat_home *moat_homes_choose(struct moat_homes *homes,
                                    const struct spec *filled);

/* Returns how many spares there are. Of another thread: a recent count, and
 * the caller holds the engine's lock. */
size_t moat_homes_spares(const struct moat_homes *homes);

/* Returns how many coroutines other threads have adopted. Caller holds the
 * engine's lock, or is the owner. */
size_t moat_homes_departed(const struct moat_homes *homes);

/* Another thread adopts a coroutine of this home. The caller holds the engine's
 * lock. */
void moat_home_depart(struct moat_home *home);

/* A guest was stopped when a list had changed, and its length had not: counts
 * the spares again. Returns how many coroutines there are, spares included. */
size_t moat_homes_recount(struct moat_homes *homes);

/* Takes all spares of all homes to a pool. Returns how many. */
size_t moat_homes_empty(struct moat_homes *homes, struct moat_pool *pool);

/* Takes spares of other specs with stacks of the same sizes to a pool, `max` at
 * most, before new stacks are made. Returns how many. */
size_t moat_homes_lend(struct moat_homes *homes, const struct spec *to,
                       size_t max, struct moat_pool *pool);

/* A spec was destroyed: its homes keep nothing any more. Any thread; the caller
 * holds the engine's lock. */
void moat_homes_retire(struct moat_homes *homes, const struct spec *spec);

/* Returns whether a home's spec was destroyed. */
bool moat_home_is_dead(const struct moat_home *home);

/* Returns whether all coroutines that a home has made are gone. */
bool moat_home_is_empty(const struct moat_home *home);

/* This thread's homes of destroyed specs: takes their spares to a pool, and
 * frees those that are empty. Returns how many coroutines fewer the thread has,
 * spares and those that were counted although they had departed. */
size_t moat_homes_sweep(struct moat_homes *homes, struct moat_pool *pool);

/* Takes a spare, which is ready to be entered; NULL: none. */
static inline struct co *moat_home_take(struct moat_home *home,
                                        moat_entry entry, void *user)
{
    moat_co *co = home->spare;

    if (co == NULL)
        return NULL;
    home->spare = (moat_co *)co->resumer;
    __atomic_store_n(&home->spares, home->spares - 1, __ATOMIC_RELAXED);
    co->entry = entry;
    co->user = user;
    co->state = co->token;
    return co_of(co);
}

/* Returns whether a destroyed coroutine may become a spare. */
static inline bool moat_home_has_room(const struct moat_home *home)
{
    return home->spares < __atomic_load_n(&home->max, __ATOMIC_RELAXED);
}

/* Makes a coroutine that is ready to be entered a spare. */
static inline void moat_home_put(struct moat_home *home, struct co *co)
{
    co->control.state = MOAT_MARK_FREE;
    co->control.resumer = (uintptr_t)home->spare;
    atomic_signal_fence(memory_order_seq_cst); /* the list is always whole */
    home->spare = handle_of(co);
    __atomic_store_n(&home->spares, home->spares + 1, __ATOMIC_RELAXED);
}

#endif
