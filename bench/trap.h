/*
 * trap.h: what the variants of bench/trap share: the faults, and who takes
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TRAP_H
#define BENCH_TRAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES  ((size_t)4096)
#define STACK_BYTES (4 * PAGE_BYTES)
#define GUARD_BYTES (16 * PAGE_BYTES)

/* Takes `count` faults and returns how many it has seen come back. */
typedef uint64_t (*trap_body)(size_t count);

uint64_t trap_moat_null(size_t count);
uint64_t trap_moat_overflow(size_t count);
uint64_t trap_moat_recreate(size_t count);

/* The bare ones in between: their handler is the process's. */
void trap_bare_install(void);
void trap_bare_restore(void);
uint64_t trap_bare_null(size_t count);
uint64_t trap_bare_overflow(size_t count);

static inline void stop(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

/* movl $1, (%rdi) is six bytes long: c7 07 and four of the constant. */
#define FAULT_BYTES 6

static inline void store_at(uintptr_t address)
{
    __asm__ volatile(".byte 0xc7, 0x07\n\t.long 1"
                     : "+D"(address)
                     :
                     : "memory");
}

/* A word on each page of a stack, downwards, and then one in the guard. */
static inline void walk_down(uintptr_t base, uintptr_t limit)
{
    for (uintptr_t at = base - 64; at > limit; at -= PAGE_BYTES)
        *(volatile int *)at = 1;
    store_at(limit - 64);
}

#endif
