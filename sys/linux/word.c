/*
 * word.c: waiting by futex(2).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/word.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

_Static_assert(sizeof(atomic_uint) == 4, "a futex is a word of 32 bits");

/* A thread that the kernel does not let wait, as a filter of system calls may
 * do, tries again. */
void moat_word_wait(const atomic_uint *word, unsigned value, uint64_t ns)
{
    const struct timespec span = {(time_t)(ns / NS_PER_S),
                                  (long)(ns % NS_PER_S)};
    int error = errno;

    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
                  ns != UINT64_MAX ? &span : NULL, NULL, 0);
    errno = error;
}

void moat_word_wake(const atomic_uint *word)
{
    int error = errno;

    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = error;
}
