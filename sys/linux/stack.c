/*
 * stack.c: the stack of a thread, by pthread_getattr_np(3); that of the first
 * thread also by its limit, below the address at which the program began.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/stack.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

/* Set by the dynamic linker, or by the start of a static program. */
extern void *__libc_stack_end;

/* glibc reads /proc/self/maps for the main thread. */
struct moat_own_stack moat_ask_own_stack(void)
{
    struct moat_own_stack own = {0, 0};
    pthread_attr_t attributes;
    void *limit;
    size_t bytes;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return own;
    if (pthread_attr_getstack(&attributes, &limit, &bytes) == 0) {
        own.limit = (uintptr_t)limit;
        own.base = (uintptr_t)limit + bytes;
    }
    (void)pthread_attr_destroy(&attributes);
    return own;
}

struct moat_own_stack moat_first_stack(void)
{
    struct moat_own_stack first = {0, 0};
    struct rlimit limit;

    if (getpid() != gettid() || getrlimit(RLIMIT_STACK, &limit) != 0)
        return first;
    first.base = (uintptr_t)__libc_stack_end;
    if (limit.rlim_cur < first.base)
        first.limit = first.base - (uintptr_t)limit.rlim_cur;
    return first;
}
