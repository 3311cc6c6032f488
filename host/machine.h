/*
 * machine.h: properties of the machine, and how many stacks they allow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/utsname.h>

#include <moat/engine.h>

#define MACHINE_STACK_BYTES ((uint64_t)256 * 1024) /* moat's defaults */
#define MACHINE_GUARD_BYTES ((uint64_t)64 * 1024)

/* Memory outside the stack for each stack in use (bench/memory). */
#define MACHINE_RECORD_BYTES ((uint64_t)192)

/* Properties of the system. 0: unknown, UINT64_MAX: unlimited. */
struct machine {
    struct utsname kernel;
    char cpu[128];
    unsigned pagemap_scan; /* 1: the kernel has that ioctl (6.7)     */
    uint64_t max_map_count;
    uint64_t overcommit;  /* vm.overcommit_memory: 0, 1 or 2      */
    uint64_t commit_left; /* CommitLimit - Committed_AS           */
    uint64_t memory_available;
    uint64_t address_space_limit; /* RLIMIT_AS                    */
};

/* A bound on the number of default stacks, and its reason. */
struct bound {
    uint64_t stacks;
    const char *why;
};

#define BOUNDS_MAX 5

void machine_read(struct machine *machine);

/* Fills `bounds`, the tightest first. Returns their number. */
size_t machine_bounds(const struct machine *machine,
                      const moat_engine_info *engine, struct bound *bounds);

#endif
