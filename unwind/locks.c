/*
 * locks.c: a table of the C library's functions that hold locks, by address.
 *
 * The functions are looked up once, when no lock is held yet. After a trap a
 * lookup is a search in the table: a dead guest may hold malloc's lock or the
 * dynamic linker's.
 *
 * A function's extent is that of its unwind information, which static programs
 * and replaced allocators have too. Many of these functions end in a jump to an
 * inner one, so that their own frame is gone while the lock is held: the target
 * of the jump goes into the table as well. Such inner functions also serve
 * others that hold no lock (vfprintf's serves snprintf). So one that the C
 * library itself has called does not count: then the frame of the function that
 * was called from outside is on the stack, too.
 *
 * The table is made once, under no lock: the dynamic linker is asked, which may
 * be running the constructor of a plugin that is about to use moat.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unwind/locks.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "arch/arch.h"
#include "sys/search.h"
#include "unwind/lock_functions.h"
#include "unwind/modules.h"
#include "unwind/objects.h"

struct procedure {
    uintptr_t start, end;
    const char *name; /* NULL: it holds no lock, also after a jump          */
    uintptr_t inside; /* a module's start: it counts if called from outside
                         that module; 0: it always counts                   */
};

/* Room for each function in the program and in the C library, and for what
 * they jump to. */
#define MAX_PROCEDURES (3 * (size_t)MOAT_LOCK_FUNCTIONS)

#define STRIDE MOAT_KEY_STRIDE(struct procedure)
_Static_assert(sizeof(struct procedure) == STRIDE * sizeof(uintptr_t),
               "the keys of the procedures are not whole words apart");

/* Constant once it is published. */
struct table {
    struct procedure procedures[MAX_PROCEDURES]; /* by address */
    size_t count;
    uintptr_t library; /* where the C library is mapped; 0: a static program */
    uintptr_t own[MOAT_LOCK_FUNCTIONS]; /* the C library's own; 0: none */
};

/* NULL: not made yet. */
static _Atomic(struct table *) published;

/* Returns the index of the procedure that covers pc, or at which to insert one
 * that does. */
static size_t index_of(const struct table *table, uintptr_t pc)
{
    return moat_keys_up_to(&table->procedures[0].end, STRIDE, table->count, pc);
}

static const struct procedure *find(const struct table *table, uintptr_t pc)
{
    size_t index = index_of(table, pc);
    const struct procedure *procedure = &table->procedures[index];

    return index < table->count && procedure->start <= pc ? procedure : NULL;
}

static void add(struct table *table, uintptr_t start, uintptr_t end,
                const char *name)
{
    struct procedure *procedures = table->procedures;
    size_t index = index_of(table, start);

    for (size_t i = table->count++; i > index; i--)
        procedures[i] = procedures[i - 1];
    procedures[index] = (struct procedure){start, end, name, 0};
}

/* False: it is in the table already, no procedure begins there, or the table is
 * full. */
static bool add_function(struct table *table, uintptr_t address,
                         const char *name)
{
    uintptr_t start, end;

    if (address == 0 || table->count == MAX_PROCEDURES ||
        find(table, address) != NULL ||
        !moat_unwind_procedure(address, &start, &end) || start != address)
        return false;
    add(table, start, end, name);
    return true;
}

/* Adds the procedures that the code in [start, end) jumps to. Of bytes that
 * only look like a jump one in ten thousand leads to the start of a procedure.
 */
static void add_jumps(struct table *table, uintptr_t start, uintptr_t end,
                      const char *name)
{
    uintptr_t at = start, target;

    while ((at = moat_arch_find_jump(at, end, &target)) != 0) {
        at++;
        if (target - start < end - start || !add_function(table, target, name))
            continue;
        if (moat_module_start(target) == table->library)
            table->procedures[index_of(table, target)].inside = table->library;
        add_jumps(table, target, find(table, target)->end, name);
    }
}

static void add_jumps_of(struct table *table, uintptr_t address,
                         const char *name)
{
    const struct procedure *procedure = find(table, address);

    if (procedure != NULL)
        add_jumps(table, procedure->start, procedure->end, name);
}

/* If a program or a preloaded library has functions of those names, the C
 * library's own may be called all the same. In a program that is not
 * position-independent, the address of a function may be that of a stub. */
static void find_librarys_own(struct table *table)
{
    void *handle = moat_linker.open != NULL
                       ? moat_linker.open(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD)
                       : NULL;

    if (handle == NULL)
        return;
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++)
        table->own[i] =
            (uintptr_t)moat_linker.find(handle, moat_lock_functions[i].name);
    table->library =
        moat_module_start((uintptr_t)moat_linker.find(handle, "malloc"));
    (void)moat_linker.close(handle);
}

/* Returns whether the library that has the function is known to hold no lock in
 * it. */
static bool is_lockless(uintptr_t address)
{
    uintptr_t other = (uintptr_t)moat_lockless_module;

    return other != 0 && moat_module_start(address) == moat_module_start(other);
}

static void fill(struct table *table)
{
    find_librarys_own(table);
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++) {
        const struct moat_lock_function *each = &moat_lock_functions[i];

        if (!is_lockless((uintptr_t)each->address))
            (void)add_function(table, (uintptr_t)each->address, each->name);
        (void)add_function(table, table->own[i], each->name);
    }
    for (size_t i = 0; i < MOAT_LOCKLESS_FUNCTIONS; i++)
        (void)add_function(table, (uintptr_t)moat_lockless_functions[i].address,
                           NULL);
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++) {
        const struct moat_lock_function *each = &moat_lock_functions[i];

        add_jumps_of(table, (uintptr_t)each->address, each->name);
        add_jumps_of(table, table->own[i], each->name);
    }
}

/* Of two threads that make one at a time the first is taken. */
static void publish(struct table *made)
{
    struct table *none = NULL;

    if (!atomic_compare_exchange_strong(&published, &none, made))
        free(made);
}

moat_status moat_locks_prepare(void)
{
    struct table *made;

    if (atomic_load(&published) != NULL)
        return MOAT_OK;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return MOAT_E_NOMEM;
    fill(made);
    publish(made);
    return MOAT_OK;
}

const char *moat_locks_find(uintptr_t pc, uintptr_t caller_pc)
{
    const struct table *table = atomic_load(&published);
    const struct procedure *procedure = table != NULL ? find(table, pc) : NULL;

    if (procedure == NULL ||
        (procedure->inside != 0 &&
         moat_module_start(caller_pc) == procedure->inside))
        return NULL;
    return procedure->name;
}
