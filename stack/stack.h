/*
 * stack.h: the door to stack memory. Knows no coroutine.
 *
 * An arena is one reservation of address space that holds stacks of one class,
 * that is of one usable size and one guard size:
 *
 *   begin                                                                  end
 *   | entries | cold | ......... | slot 2 | slot 1 | slot 0 | last page |
 *                                /         \
 *                       guard | usable pages | colour
 *                       ^guard ^limit         ^base
 *
 * Slots are taken from the top downwards and become accessible about as they
 * are taken: as many again as there are already, 64 MiB at most at a time. The
 * stride is an odd number of pages: a power of two put the tops of all stacks
 * into the same cache sets, and a round robin over 100,000 took twice as long.
 * Base is coloured (moved down by a multiple of 64 bytes) for the same reason.
 * The last page is never accessible: a guest that writes past base ends there
 * or in the guard of the slot above.
 *
 * Each slot has two sidecars, off the stack: an entry, dense, for what each
 * resume touches, and a cold part that costs no memory until it is written.
 * Both belong to the caller; the slot itself lies in the entry at an offset
 * that the caller chose.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_STACK_H
#define MOAT_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <moat/engine.h>
#include <moat/status.h>
#include <moat/trap.h>

struct moat_arena;
struct moat_stack_class;

/* A stack. On a list (`next`) only while it is free. */
struct moat_slot {
    uintptr_t base;  /* highest usable address, exclusive        */
    uintptr_t limit; /* lowest usable address                    */
    uintptr_t guard; /* lowest address of the guard              */
    struct moat_arena *arena;
    struct moat_slot *next;
};

struct moat_pages {
    uintptr_t low, high; /* whole pages; high exclusive             */
};

/* Takes the first slots of a chain off it, `most` of them or all; gives how
 * many those are. `most` is not 0, and the chain not empty. The stacks' tops,
 * which are written next, are on their way meanwhile: the walk waits for each
 * slot. */
static inline size_t moat_slots_cut(struct moat_slot **chain, size_t most,
                                    struct moat_slot **out)
{
    struct moat_slot *last = *out = *chain;
    size_t count = 1;

    for (; count < most && last->next != NULL; count++) {
        last = last->next;
        __builtin_prefetch((const void *)(last->base - 64), 1);
    }
    *chain = last->next;
    last->next = NULL;
    return count;
}

/* --- arena.c: reservations -------------------------------------------------
 */

struct moat_arena_layout {
    size_t entry_bytes; /* a multiple of 64                        */
    size_t slot_offset; /* of struct moat_slot in the entry        */
    size_t cold_bytes;  /* a multiple of 64                        */
    moat_guard_kind guard;
    /* Told of each arena before a slot of it is taken; what it returns is the
     * call's result. NULL: nobody. */
    moat_status (*made)(uintptr_t begin, size_t bytes);
};

/* Once, before any other call; while arenas exist it must not change. */
void moat_arena_configure(const struct moat_arena_layout *asked);

/* Finds or makes the class of stacks with so many usable and guard bytes (both
 * whole pages). Any thread. */
moat_status moat_stack_class_get(size_t usable_bytes, size_t guard_bytes,
                                 struct moat_stack_class **out);

/* Takes slots that no thread's pool holds, `most` at most and on MOAT_OK one at
 * least, as a chain: some that were given back, else new ones. Any thread. The
 * entry and the cold part of a new one are zero, and the cold part of one that
 * was given back may be. */
moat_status moat_arena_take(struct moat_stack_class *stack_class, size_t most,
                            struct moat_slot **out);

struct moat_stack_class *moat_slot_class(const struct moat_slot *slot);
void *moat_slot_entry(const struct moat_slot *slot);

/* Signal-safe: yes. */
void *moat_slot_cold(const struct moat_slot *slot);

/* Tells what an address is to the stack `own` (NULL: none). Signal-safe: yes.
 */
moat_region moat_arena_region(uintptr_t address, const struct moat_slot *own);

/* Does an arena lie in [begin, end), or a part of one? Signal-safe: yes. */
bool moat_arena_overlaps(uintptr_t begin, uintptr_t end);

/* Unmaps all arenas. No slot may be in use, no other thread may be at work. */
void moat_arena_release_all(void);

/* Around fork, so that the child finds the lists whole. */
void moat_arena_lock(void);
void moat_arena_unlock(void);

/* --- guard.c and its two kinds ---------------------------------------------
 */

/* Resolves MOAT_GUARD_AUTO by the environment and the kernel. */
moat_status moat_guard_choose(moat_guard_kind asked, moat_guard_kind *out);

bool moat_guard_madvise_works(void);
bool moat_guard_batch_works(void);

/* Makes guards of the first *count ranges, MOAT_ADVICE_RANGES at most, and
 * tells how many there are: *count. MOAT_OK: one at least. */
moat_status moat_guard_madvise_install(const struct moat_pages *ranges,
                                       size_t *count);

/* The same range as PROT_NONE, and accessible. */
moat_status moat_guard_mprotect_install(uintptr_t address, size_t bytes);
moat_status moat_guard_mprotect_open(uintptr_t address, size_t bytes);

/* --- advice.c: many ranges by one system call --------------------------------
 */

/* So many at a time. More gain nothing: the call's own price is gone. */
#define MOAT_ADVICE_RANGES 64

/* All ranges were advised. False: some were not, perhaps none. */
bool moat_pages_advise(const struct moat_pages *ranges, size_t count,
                       int advice);

/* Does the kernel take the advice for two at once, and does it hold for both?
 */
bool moat_pages_advice_works(int advice, bool (*holds)(uintptr_t page));

/* --- methods.c: what the kernel has -----------------------------------------
 */

/* How pages are found, dropped, and made guards. */
struct moat_methods {
    bool scan;  /* PAGEMAP_SCAN, else the words of /proc/self/pagemap */
    bool batch; /* process_madvise, else a madvise for each range     */
};

/* What the kernel gives, unless the environment wants it as of old. */
moat_status moat_methods_choose(struct moat_methods *out);

/* What the files below go by. */
extern struct moat_methods moat_methods;

/* --- pages.c: which pages hold something -----------------------------------
 */

/* Called for each run of such pages, upwards; false ends the walk. */
typedef bool moat_run_visitor(uintptr_t low, uintptr_t high, void *arg);

/* A descriptor of /proc/self/pagemap, to be closed; -1: it cannot be read. */
int moat_pages_open(void);

/* Shows what [low, high) has in memory or in swap, guards among it. */
moat_status moat_pages_visit(int pagemap, uintptr_t low, uintptr_t high,
                             moat_run_visitor *visit, void *arg);

/* The same by PAGEMAP_SCAN: scan.c. */
moat_status moat_scan_visit(int pagemap, uintptr_t low, uintptr_t high,
                            moat_run_visitor *visit, void *arg);
bool moat_scan_works(void);

/* Can the kernel be asked? */
bool moat_pages_known(void);

/* The lowest page in [low, high) that was ever touched; high if none was. */
moat_status moat_pages_lowest(uintptr_t low, uintptr_t high, uintptr_t *out);

/* Makes [low, high) read as zeros: keeps resident pages, or drops them. */
moat_status moat_pages_zero(uintptr_t low, uintptr_t high);

/* --- drop.c: memory goes back to the system ---------------------------------
 */

bool moat_drop_batch_works(void);

/* The pages of the ranges are no longer there; they read as zeros. Guards stay.
 * MOAT_E_SYSTEM: some still are, as those in locked memory. */
moat_status moat_pages_drop(const struct moat_pages *ranges, size_t count);

/* The same for contents that must not stay, also in locked memory. */
moat_status moat_pages_discard(uintptr_t low, uintptr_t high);

/* Bytes of the range that are in memory. */
size_t moat_pages_resident(uintptr_t low, uintptr_t high);

/* --- scrub.c: slots between two users ----------------------------------------
 */

/* Makes the stacks of a chain read as zeros. What cannot be is taken off the
 * chain and lost; gives the chain. */
struct moat_slot *moat_scrub(struct moat_slot *first);

/* --- trim.c: what nobody uses ------------------------------------------------
 */

struct moat_trim_policy {
    size_t free_bytes;  /* resident of the idle slots, at most; 0: all  */
    size_t stack_bytes; /* resident of a free stack, at most; 0: all    */
};

/* Once, before any slot is given. */
void moat_trim_configure(const struct moat_trim_policy *asked);

/* The second one's answer, as whole pages; 0: no limit. */
size_t moat_trim_stack_bytes(void);

/* Gives a chain of slots of one class (linked by next) back to everybody, or,
 * by the policy, their memory to the system. Any thread. */
void moat_trim_give(struct moat_slot *first);

/* Drops what the stacks of a chain have resident beyond the policy's limit. */
void moat_trim_stacks(const struct moat_slot *first);

/* Gives the memory of idle slots to the system but for `keep` bytes; adds what
 * was resident to *released. MOAT_E_SYSTEM: some could not be. Any thread. */
moat_status moat_trim(size_t keep, size_t *released);

/* --- pool.c: a thread's free slots ------------------------------------------
 */

/* Invariants: each shelf holds slots of one class, newest first; a shelf holds
 * at most MOAT_SHELF_SLOTS. Used ones are settled (scrubbed, cut to what a free
 * stack may keep) some at a time, before they can be had. Used by one thread.
 */
#define MOAT_SHELF_SLOTS 1024

/* Used slots that wait at most, by number and by bytes of their stacks. */
#define MOAT_USED_SLOTS 64
#define MOAT_USED_BYTES ((size_t)16 << 20)

struct moat_shelf {
    struct moat_stack_class *stack_class;
    struct moat_slot *first;
    size_t count;
    struct moat_slot *used;
    size_t used_count;
    bool scrub; /* some of the used ones have to be                 */
    struct moat_shelf *next;
};

struct moat_pool {
    struct moat_shelf *shelves; /* the one used last comes first */
};

/* A chain of `most` slots at most; on MOAT_OK there is one at least. */
moat_status moat_pool_get(struct moat_pool *pool,
                          struct moat_stack_class *stack_class, size_t most,
                          struct moat_slot **out);

/* Cannot fail: what finds no shelf goes to everybody. */
void moat_pool_put(struct moat_pool *pool, struct moat_slot *slot);

/* The same for a slot that has to be settled first; pool: NULL for none. One
 * that cannot be scrubbed is lost. */
void moat_pool_put_used(struct moat_pool *pool, struct moat_slot *slot,
                        bool scrub);

/* Gives all slots back. Calls no heap, which a guest may have died in. */
void moat_pool_empty(struct moat_pool *pool);

/* The same for good; but the pool can be used again. */
void moat_pool_drain(struct moat_pool *pool);

#endif
