/*
 * guard_mprotect.c: guards as inaccessible mappings, for kernels before 6.13
 * and for locked memory. Each costs two of the process's vm.max_map_count
 * mappings.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stack/stack.h"

/* Under strict overcommit (vm.overcommit_memory = 2) ENOMEM may also mean that
 * the memory cannot be promised; otherwise it means that no mapping is left. */
static bool overcommit_is_strict(void)
{
    int fd = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    char mode = '0';

    if (fd < 0)
        return false;
    if (read(fd, &mode, 1) != 1)
        mode = '0';
    (void)close(fd);
    return mode == '2';
}

static moat_status set_protection(uintptr_t address, size_t bytes,
                                  int protection)
{
    if (mprotect((void *)address, bytes, protection) == 0)
        return MOAT_OK;
    if (errno != ENOMEM)
        return MOAT_E_SYSTEM;
    return overcommit_is_strict() ? MOAT_E_NOMEM : MOAT_E_GUARD_LIMIT;
}

moat_status moat_guard_mprotect_install(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_NONE);
}

moat_status moat_guard_mprotect_open(uintptr_t address, size_t bytes)
{
    return set_protection(address, bytes, PROT_READ | PROT_WRITE);
}
