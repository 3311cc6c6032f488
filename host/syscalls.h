/*
 * syscalls.h: --syscalls: the system calls that scripts and their C modules may
 * make.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_SYSCALLS_H
#define HOST_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <moat/syscall.h>

#define SYSCALLS_MAX 512

/* All zeros: every call is allowed, and none is looked at. */
struct syscalls {
    bool filtered;
    bool reads;                          /* opening files to read them  */
    uint64_t allowed[SYSCALLS_MAX / 64]; /* a bit for each number      */
};

/* Reads "all", "none" or words joined by commas: names of calls and of sets.
 * Returns false after an error message. */
bool syscalls_parse(const char *text, struct syscalls *out);

/* Decides about a call of a guest. One for memory fails rather than ends the
 * script, so that malloc does not keep its lock. */
moat_syscall_verdict syscalls_decide(const struct syscalls *syscalls,
                                     moat_syscall *call);

#endif
