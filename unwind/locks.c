/*
 * locks.c: does a function of the C library that holds a lock stand at an
 * address?
 *
 * The functions' addresses are looked up once, when nothing is held yet. After
 * a trap the question is a search in a table: whoever asks it may find malloc's
 * lock or the dynamic linker's in a dead guest's hands.
 *
 * A function's extent is that of its unwind information, which static programs
 * and replaced allocators have too. Many of these functions end in a jump to an
 * inner one, so that their own frame is gone while the lock is held: what they
 * jump to is looked up as well. Inner functions serve others too, which hold no
 * lock (vfprintf's serves snprintf): one that the C library itself has called
 * does not count, for then the frame of whoever was called from outside stands
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <gnu/lib-names.h>

#include "unwind/lock_functions.h"
#include "unwind/unwind.h"

struct procedure {
    uintptr_t start, end;
    const char *name; /* NULL: holds no lock, whoever jumps there       */
    uintptr_t inside; /* != 0: counts if called from outside the module that
                         begins there                                    */
};

/* By address. Room for each function in the program and in the C library, and
 * for what they jump to. */
#define MOST (3 * (size_t)MOAT_LOCK_FUNCTIONS)

static struct procedure table[MOST];
static size_t count;

/* The C library's own begins there; 0 in a static program. */
static uintptr_t library;

/* The entry that covers pc, or the place where one that does belongs. */
static size_t place_of(uintptr_t pc)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table[middle].end <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct procedure *find(uintptr_t pc)
{
    size_t place = place_of(pc);

    return place < count && table[place].start <= pc ? &table[place] : NULL;
}

static void add(uintptr_t start, uintptr_t end, const char *name)
{
    size_t place = place_of(start);

    for (size_t i = count++; i > place; i--)
        table[i] = table[i - 1];
    table[place] = (struct procedure){start, end, name, 0};
}

/* False: there already, or no procedure begins at that address, or no room. */
static bool add_function(uintptr_t address, const char *name)
{
    uintptr_t start, end;

    if (address == 0 || count == MOST || find(address) != NULL ||
        !moat_unwind_procedure(address, &start, &end) || start != address)
        return false;
    add(start, end, name);
    return true;
}

/* The procedures whose beginning the code from `start` on jumps to. Bytes that
 * only look like a jump lead there once in ten thousand. */
static void add_jumps(uintptr_t start, uintptr_t end, const char *name)
{
    uintptr_t at = start, target;

    while ((at = moat_arch_find_jump(at, end, &target)) != 0) {
        at++;
        if (target - start < end - start || !add_function(target, name))
            continue;
        if (moat_module_start(target) == library)
            table[place_of(target)].inside = library;
        add_jumps(target, find(target)->end, name);
    }
}

static void add_jumps_of(uintptr_t address, const char *name)
{
    const struct procedure *procedure = find(address);

    if (procedure != NULL)
        add_jumps(procedure->start, procedure->end, name);
}

/* Where a program or a preloaded library has functions of those names, the C
 * library's own may be called all the same. And in a program that is not
 * position-independent the address of a function may be that of a stub. */
static void find_librarys_own(uintptr_t own[MOAT_LOCK_FUNCTIONS])
{
    void *handle = moat_linker.open != NULL
                       ? moat_linker.open(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD)
                       : NULL;

    library = 0;
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++)
        own[i] = handle != NULL ? (uintptr_t)moat_linker.find(
                                      handle, moat_lock_functions[i].name)
                                : 0;
    if (handle == NULL)
        return;
    library = moat_module_start((uintptr_t)moat_linker.find(handle, "malloc"));
    (void)moat_linker.close(handle);
}

void moat_locks_prepare(void)
{
    static uintptr_t own[MOAT_LOCK_FUNCTIONS];

    count = 0;
    find_librarys_own(own);
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++) {
        (void)add_function((uintptr_t)moat_lock_functions[i].address,
                           moat_lock_functions[i].name);
        (void)add_function(own[i], moat_lock_functions[i].name);
    }
    for (size_t i = 0; i < MOAT_LOCKLESS_FUNCTIONS; i++)
        (void)add_function((uintptr_t)moat_lockless_functions[i].address, NULL);
    for (size_t i = 0; i < MOAT_LOCK_FUNCTIONS; i++) {
        add_jumps_of((uintptr_t)moat_lock_functions[i].address,
                     moat_lock_functions[i].name);
        add_jumps_of(own[i], moat_lock_functions[i].name);
    }
}

const char *moat_locks_find(uintptr_t pc, uintptr_t caller_pc)
{
    const struct procedure *procedure = find(pc);

    if (procedure == NULL ||
        (procedure->inside != 0 &&
         moat_module_start(caller_pc) == procedure->inside))
        return NULL;
    return procedure->name;
}
