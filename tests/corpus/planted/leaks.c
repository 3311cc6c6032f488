/*
 * leaks.c: a case that leaks memory that a host cannot find, because it comes
 * from a system call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hcase.h"

const char *hcase_name = "leaks";

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    long memory = syscall(SYS_mmap, NULL, 65536, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == -1)
        return 1;
    memset((void *)memory, 1, 65536);
    abort();
}
