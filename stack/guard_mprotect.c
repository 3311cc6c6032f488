/*
 * guard_mprotect.c: guards as inaccessible mappings, for kernels before 6.13
 * and for locked memory. Each costs two of the process's vm.max_map_count
 * mappings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/stack.h"

/* A number from a file of /proc; 0 if it cannot be read. */
static size_t read_number(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    (void)close(fd);
    return strtoul(text, NULL, 10);
}

/* The mappings of the process: the lines of /proc/self/maps. */
static size_t count_mappings(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    char text[1024];
    size_t count = 0;
    ssize_t got;

    if (fd < 0)
        return 0;
    while ((got = read(fd, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            count += text[i] == '\n';
    }
    (void)close(fd);
    return count;
}

/* ENOMEM also comes from limits on memory (overcommit, RLIMIT_DATA); the host
 * can only act on it if it is told which. A split takes two mappings. */
static bool mappings_are_used_up(void)
{
    size_t most = read_number("/proc/sys/vm/max_map_count");

    return most != 0 && count_mappings() + 2 >= most;
}

static moat_status set_protection(uintptr_t address, size_t bytes,
                                  int protection)
{
    if (mprotect((void *)address, bytes, protection) == 0)
        return MOAT_OK;
    if (errno != ENOMEM)
        return MOAT_E_SYSTEM;
    return mappings_are_used_up() ? MOAT_E_GUARD_LIMIT : MOAT_E_NOMEM;
}

moat_status moat_guard_mprotect_install(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_NONE);
}

moat_status moat_guard_mprotect_open(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_READ | PROT_WRITE);
}
