/*
 * misuse.c: what ends a guest that misuses its heap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "heap/heap.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The signal comes from a system call of our own, because abort takes a lock
 * that a stopped guest would leave held. */
void moat_heap_misused(moat_heap *heap, enum moat_misuse what)
{
    heap->misuse = what;
    (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGABRT);
    abort();
}

/* The heap may have been overwritten: its word for it is only a number. */
const char *moat_heap_misuse(const moat_heap *heap)
{
    switch (heap->misuse) {
#define TEXT(name, text) \
    case name:           \
        return text;
        MOAT_MISUSE_MAP(TEXT)
#undef TEXT
    default:
        return NULL;
    }
}
