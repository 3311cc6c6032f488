/*
 * owner.c: who takes memory, and calls of the next allocator for a guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/owner.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malloc/next.h"
#include "malloc/policy.h"

/* A guest that has no heap, and is to have none, is as good as the host. */
static bool is_guest(size_t quota_bytes, moat_heap **heap)
{
    moat_status status;

    *heap = NULL;
    if (moat_malloc_on_host())
        return false;
    status = moat_guest_heap(heap, quota_bytes);
    return status != MOAT_E_STATE &&
           (*heap != NULL || moat_malloc_policy.quota_bytes != 0);
}

bool moat_malloc_is_guest(moat_heap **heap)
{
    return is_guest(0, heap);
}

enum moat_caller moat_malloc_caller(const void *return_address,
                                    moat_heap **heap)
{
    if (!moat_next_is_loader(return_address))
        return is_guest(moat_malloc_policy.quota_bytes, heap)
                   ? MOAT_CALLER_GUEST
                   : MOAT_CALLER_HOST;
    if (!is_guest(0, heap))
        return MOAT_CALLER_HOST;
    *heap = NULL;
    return MOAT_CALLER_LOADER;
}

/* As abort does, without the lock that a stopped guest would leave held. */
void moat_malloc_misused(const char *why)
{
    if (moat_malloc_on_host())
        moat_malloc_say(why);
    (void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGABRT);
    abort();
}

struct call {
    void (*fn)(void *);
    void *arg;
};

static void *make_call(void *arg)
{
    const struct call *call = arg;

    call->fn(call->arg);
    return NULL;
}

void moat_malloc_guarded(void (*fn)(void *), void *arg)
{
    struct call call = {fn, arg};

    (void)moat_call_for_guest(moat_co_current(), make_call, NULL, &call);
}
