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
#include "unwind/publication.h"

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

void moat_debugger_add(struct moat_debugger_entry *entry)
{
    struct moat_debugger_entry *next = __jit_debug_descriptor.first;

    entry->previous = NULL;
    entry->next = next;
    if (next != NULL)
        next->previous = entry;
    __jit_debug_descriptor.first = entry;
    tell(REGISTER, entry);
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
}
