/*
 * late.c: a case that touches new memory once, after the warm-up, as a path
 * does that is taken for the first time. Its count and the memory come from
 * system calls, so that the host does not restore them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hcase.h"

#define BYTES (1024UL * 1024)
#define LATE  30

const char *hcase_name = "late";
static int *times;

static void *map(unsigned long bytes)
{
    return (void *)syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int hcase_setup(long n)
{
    (void)n;
    times = map(sizeof(*times));
    return times == MAP_FAILED;
}

int hcase_run(void)
{
    void *memory;

    if (++*times == LATE) {
        memory = map(BYTES);
        if (memory == MAP_FAILED)
            return 1;
        memset(memory, 1, BYTES);
    }
    abort();
}
