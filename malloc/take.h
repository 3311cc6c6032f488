/*
 * take.h: takes what a guest can hold, on the host's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_TAKE_H
#define MOAT_MALLOC_TAKE_H

#include <stdatomic.h>
#include <time.h>

#include "malloc/held.h"
#include "malloc/libc_call.h"
#include "malloc/owner.h"
#include "malloc/real.h"
#include "malloc/touch.h"

/* Defines `function`, the C library's of that name: found when this library was
 * loaded, except for a constructor that runs before. */
#define REAL(result, name, ...)                                                \
    MOAT_REAL real = {#name, NULL};                                            \
    void *address = atomic_load_explicit(&real.address, memory_order_relaxed); \
    result (*function)(__VA_ARGS__);                                           \
                                                                               \
    if (MOAT_LIKELY(address != NULL))                                          \
        __builtin_memcpy(&function, &address, sizeof function);                \
    else                                                                       \
        moat_real_get(&real, &function)

/* As moat_libc_is_guest; the host, on its own stack, is known at once. */
static inline bool moat_takes_as_guest(void)
{
    return !moat_malloc_on_host() && moat_libc_is_guest();
}

/* The functions below return an error number. `fn` does, too: it takes the
 * object or releases it, and runs on the host's stack. */

/* Repeats `fn`, which waits for up to moat_end_of_try and then returns
 * ETIMEDOUT. Between two tries the guest can be stopped. `until` may be NULL.
 */
int moat_take(enum moat_held_kind kind, void *object, int (*fn)(void *),
              clockid_t clock, const struct timespec *until);
int moat_take_once(enum moat_held_kind kind, void *object, int (*fn)(void *));
int moat_give(enum moat_held_kind kind, void *object, int (*fn)(void *));

/* By CLOCK_MONOTONIC. */
struct timespec moat_end_of_try(void);

bool moat_has_passed(clockid_t clock, const struct timespec *until);

/* Reads it: a bad pointer ends the guest here. */
bool moat_is_time(const struct timespec *time);

#endif
