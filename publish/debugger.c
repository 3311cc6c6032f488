/*
 * debugger.c: the interface for JIT compilers (gdb's manual, "JIT Compilation
 * Interface"): a list of object files, and a function in which debuggers set a
 * breakpoint.
 *
 * LLVM has both, too, under the same names. The definitions are weak: a program
 * that contains LLVM has one list, LLVM's, and the two add to it under locks of
 * their own, so such a program registers with both from one thread at a time.
 * In a shared library they are protected: each library has its own list, and
 * debuggers read all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/debugger.h"

#include <stdint.h>

#include "sys/supply.h"

struct moat_debugger_entry {
    struct moat_debugger_entry *next, *previous;
    const void *image;
    uint64_t bytes;
};

enum { NO_ACTION = 0, REGISTER = 1, UNREGISTER = 2 };

struct descriptor {
    uint32_t version;
    uint32_t action;
    struct moat_debugger_entry *relevant, *first;
};

#define FOR_DEBUGGERS __attribute__((weak, visibility("protected")))

/* NOLINTBEGIN(bugprone-reserved-identifier): gdb's names */
extern struct descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

FOR_DEBUGGERS struct descriptor __jit_debug_descriptor = {1, NO_ACTION, NULL,
                                                          NULL};

/* The compiler must neither drop it nor inline it. */
FOR_DEBUGGERS __attribute__((noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" : : : "memory");
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void announce(uint32_t action, struct moat_debugger_entry *entry)
{
    __jit_debug_descriptor.action = action;
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = NO_ACTION;
    __jit_debug_descriptor.relevant = NULL;
}

/* --- memory --------------------------------------------------------------
 *
 * Entries lie close together, apart from the images, as a removal writes to
 * both neighbours in the list, which may be any.
 */

#define BLOCK_ENTRIES ((size_t)127)

static struct moat_debugger_entry *spares;

moat_status moat_debugger_prepare(void)
{
    if (spares != NULL)
        return MOAT_OK;
    spares = moat_supply_take(BLOCK_ENTRIES * sizeof *spares);
    if (spares == NULL)
        return MOAT_E_NOMEM;
    moat_supply_keep();
    for (size_t i = 1; i < BLOCK_ENTRIES; i++)
        spares[i - 1].next = &spares[i];
    return MOAT_OK;
}

static struct moat_debugger_entry *take(void)
{
    struct moat_debugger_entry *entry;

    if (moat_debugger_prepare() != MOAT_OK)
        return NULL;
    entry = spares;
    spares = entry->next;
    return entry;
}

/* --- the list ------------------------------------------------------------ */

struct moat_debugger_entry *moat_debugger_add(const void *image, size_t bytes)
{
    struct moat_debugger_entry *next = __jit_debug_descriptor.first;
    struct moat_debugger_entry *entry = take();

    if (entry == NULL)
        return NULL;
    entry->image = image;
    entry->bytes = bytes;
    entry->previous = NULL;
    entry->next = next;
    if (next != NULL)
        next->previous = entry;
    __jit_debug_descriptor.first = entry;
    announce(REGISTER, entry);
    return entry;
}

void moat_debugger_remove(struct moat_debugger_entry *entry)
{
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    announce(UNREGISTER, entry);
    entry->next = spares;
    spares = entry;
}
