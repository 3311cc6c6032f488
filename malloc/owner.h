/*
 * owner.h: who takes memory, and who owns a block.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_OWNER_H
#define MOAT_MALLOC_OWNER_H

#include <stdbool.h>

#include <moat/moat.h>

/* Returns whether the thread is on the host's stack, or in a host call there:
 * the quick answer, before a caller is looked at. */
static inline bool moat_malloc_on_host(void)
{
    return MOAT_LIKELY(MOAT_TLS_IS_ZERO(MOAT_TLS_CURRENT));
}

enum moat_caller {
    /* Takes memory from the next allocator. */
    MOAT_CALLER_HOST,
    /* Takes memory from its heap. */
    MOAT_CALLER_GUEST,
    /* The dynamic linker, on a guest's stack: what it takes belongs to the
     * process. */
    MOAT_CALLER_LOADER
};

/* Returns who called a function of the family, by its return address, and the
 * heap of a guest. *heap is NULL for others, and if no heap could be made. */
enum moat_caller moat_malloc_caller(const void *return_address,
                                    moat_heap **heap);

/* Returns whether a guest called, and the heap that it has; NULL: none yet. */
bool moat_malloc_is_guest(moat_heap **heap);

/* Calls a function of the next allocator for a guest, on the host's stack. A
 * deadline waits. A fault in it, which a guest's bad pointer may cause, ends
 * the guest. */
void moat_malloc_guarded(void (*fn)(void *), void *arg);

/* Ends the guest, which has misused a block; or the host, with the reason on
 * standard error. */
_Noreturn void moat_malloc_misused(const char *why);

#endif
