/*
 * fault.h: the faults that the benchmarks cause, and the loops that recover
 * from them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FAULT_H
#define BENCH_FAULT_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES  ((size_t)4096)
#define STACK_BYTES (4 * PAGE_BYTES)
#define GUARD_BYTES (16 * PAGE_BYTES)

/* Causes `count` faults and returns the number of recoveries. */
typedef uint64_t (*fault_body)(size_t count);

uint64_t fault_moat_null(size_t count);
uint64_t fault_moat_overflow(size_t count);
uint64_t fault_moat_recreate(size_t count);

/* The bare handler is the process's between these two calls. */
void fault_bare_install(void);
void fault_bare_restore(void);
uint64_t fault_bare_null(size_t count);
uint64_t fault_bare_overflow(size_t count);

/* movl $1, (%rdi) is six bytes long: c7 07 and four of the constant. */
#define FAULT_BYTES 6

static inline void store_at(uintptr_t address)
{
    __asm__ volatile(".byte 0xc7, 0x07\n\t.long 1"
                     : "+D"(address)
                     :
                     : "memory");
}

/* Writes a word to each page of a stack, downwards, and one into the guard. */
static inline void walk_down(uintptr_t base, uintptr_t limit)
{
    for (uintptr_t at = base - 64; at > limit; at -= PAGE_BYTES)
        *(volatile int *)at = 1;
    store_at(limit - 64);
}

#endif
