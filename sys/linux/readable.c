/*
 * readable.c: whether memory can be read, by rt_sigprocmask(2), or is there at
 * all, by msync(2).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/readable.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/page.h"

/* No such way to change the mask exists, so nothing changes. The kernel reads
 * the new mask before it finds that out: EFAULT if it cannot, else EINVAL. No
 * filter of system calls forbids the call, which signal handlers depend on. */
bool moat_memory_can_read(uintptr_t address)
{
    int before = errno;
    bool readable =
        syscall(SYS_rt_sigprocmask, -1, address, NULL, sizeof address) == 0 ||
        errno != EFAULT;

    errno = before;
    return readable;
}

/* MS_ASYNC writes nothing; the call fails at the first hole. The C library's
 * msync is a cancellation point, and a handler must not reach one. */
bool moat_memory_is_mapped(uintptr_t address, size_t bytes)
{
    uintptr_t begin = address & ~(moat_page_bytes() - 1);
    int before = errno;
    bool mapped =
        syscall(SYS_msync, begin, address + bytes - begin, MS_ASYNC) == 0;

    errno = before;
    return mapped;
}
