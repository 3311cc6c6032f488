/*
 * syscall_ways.h: ways of a guest to reach the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_SYSCALL_WAYS_H
#define TESTS_FAULT_SYSCALL_WAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One way, and what the host must learn of it. */
struct way {
    const char *name;
    void (*go)(void);
    long number;
    bool is_foreign; /* not of the CPU's own ABI */
};

extern const struct way ways[];
extern const size_t way_count;

/* A system call by an instruction of the test's own: result, or -errno. */
long raw(long number, uint64_t a, uint64_t b, uint64_t c);

/* Calls getppid by jumping to an instruction. */
void jump_to(uintptr_t instruction);

/* Calls `found` with the address of each instruction `syscall` in the code of
 * the process, wherever it begins. Returns how many there are. */
size_t each_syscall(void (*found)(uintptr_t instruction, const char *object));

#endif
