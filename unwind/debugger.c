/*
 * debugger.c: the interface that gdb and lldb have for JIT compilers (gdb's
 * manual, "JIT Compilation Interface"): a list of object files, and a function
 * in which they set a breakpoint.
 *
 * LLVM has both, too, under the same names. The definitions are weak: a program
 * that contains LLVM gets one list, LLVM's, and the two add to it under locks
 * of their own: such a program registers with both from one thread at a time.
 * In a shared library they are protected: each library has its own list, and
 * debuggers look at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "unwind/publication.h"

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

/* Neither left out nor inlined. */
FOR_DEBUGGERS __attribute__((noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" : : : "memory");
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void tell(uint32_t action, struct moat_debugger_entry *entry)
{
    __jit_debug_descriptor.action = action;
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = NO_ACTION;
    __jit_debug_descriptor.relevant = NULL;
}

/* --- memory --------------------------------------------------------------
 *
 * Entries lie close together, apart from the images: a removal writes to both
 * neighbours in the list, which may be any.
 */

#define BLOCK_ENTRIES ((size_t)127)

static struct moat_debugger_entry *spares;

static struct moat_debugger_entry *take(void)
{
    struct moat_debugger_entry *entry = spares, *block;

    if (entry == NULL) {
        block = calloc(BLOCK_ENTRIES, sizeof *block);
        if (block == NULL)
            return NULL;
        for (size_t i = 1; i < BLOCK_ENTRIES; i++)
            block[i - 1].next = &block[i];
        entry = block;
    }
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
    tell(REGISTER, entry);
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
    tell(UNREGISTER, entry);
    entry->next = spares;
    spares = entry;
}
