/*
 * machine.c: reads /proc and works out how many stacks fit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The user address space of x86-64 with four-level page tables. */
#define ADDRESS_BYTES ((uint64_t)1 << 47)

static uint64_t read_number(const char *path)
{
    uint64_t value = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64, &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

/* Copies the value of `key` in a file of "key : value" lines. */
static void read_field(const char *path, const char *key, char *value,
                       size_t size)
{
    char line[512];
    FILE *file = fopen(path, "re");

    *value = '\0';
    if (file == NULL)
        return;
    while (*value == '\0' && fgets(line, sizeof(line), file) != NULL) {
        char *colon = strchr(line, ':');

        if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(value, size, "%s", colon);
    }
    fclose(file);
}

static uint64_t meminfo_bytes(const char *key)
{
    char text[64];
    uint64_t kilobytes = 0;

    read_field("/proc/meminfo", key, text, sizeof(text));
    if (sscanf(text, "%" SCNu64, &kilobytes) != 1)
        return 0;
    return kilobytes * 1024;
}

/* The ioctl's argument, which is too new for Debian 12's headers. */
struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof, return_mask;
};

/* Scans an empty range, which succeeds if the kernel has the ioctl. */
static unsigned has_pagemap_scan(void)
{
    struct scan scan = {.size = sizeof(scan)};
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    bool has;

    if (fd < 0)
        return 0;
    has = ioctl(fd, _IOWR('f', 16, struct scan), &scan) >= 0;
    close(fd);
    return has;
}

void machine_read(struct machine *machine)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    uint64_t committed = meminfo_bytes("Committed_AS");
    uint64_t may_commit = meminfo_bytes("CommitLimit");

    memset(machine, 0, sizeof(*machine));
    uname(&machine->kernel);
    machine->pagemap_scan = has_pagemap_scan();
    read_field("/proc/cpuinfo", "model name", machine->cpu,
               sizeof(machine->cpu));
    machine->max_map_count = read_number("/proc/sys/vm/max_map_count");
    machine->overcommit = read_number("/proc/sys/vm/overcommit_memory");
    machine->commit_left = may_commit > committed ? may_commit - committed : 0;
    machine->memory_available = meminfo_bytes("MemAvailable");
    getrlimit(RLIMIT_AS, &limit);
    machine->address_space_limit =
        limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

/* Inserts a bound into the sorted list. */
static void add(struct bound *bounds, size_t *count, uint64_t stacks,
                const char *why)
{
    size_t i = (*count)++;

    for (; i > 0 && bounds[i - 1].stacks > stacks; i--)
        bounds[i] = bounds[i - 1];
    bounds[i] = (struct bound){stacks, why};
}

size_t machine_bounds(const struct machine *machine,
                      const moat_engine_info *engine, struct bound *bounds)
{
    /* One more page is for the colour of the stack (docs/memory.md). */
    uint64_t page = engine->page_bytes;
    uint64_t stride = MACHINE_STACK_BYTES + MACHINE_GUARD_BYTES + page;
    size_t count = 0;

    add(bounds, &count, ADDRESS_BYTES / stride, "the CPU's address space");
    if (engine->guard == MOAT_GUARD_MPROTECT && machine->max_map_count != 0)
        add(bounds, &count, machine->max_map_count / 2,
            "vm.max_map_count: each guard is a mapping of its own");
    if (machine->address_space_limit != UINT64_MAX)
        add(bounds, &count, machine->address_space_limit / stride, "RLIMIT_AS");
    if (machine->overcommit == 2)
        add(bounds, &count, machine->commit_left / MACHINE_STACK_BYTES,
            "vm.overcommit_memory=2: the commit limit");
    /* A running stack uses at least its first page, its record, and eight bytes
     * of page table for each page of it and of its guard. */
    if (machine->memory_available != 0 && page != 0)
        add(bounds, &count,
            machine->memory_available /
                (page + MACHINE_RECORD_BYTES + stride / page * 8),
            "free memory: a page, a record and page tables for each");
    return count;
}
