/*
 * small_stack.c: calls with a given amount of stack left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "small_stack.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "fixture.h"

#define STACK_BYTES (2 * SMALL_STACK_MAX)
#define GUARD_BYTES ((size_t)256 << 10)
#define FILL        0xa5a5a5a5a5a5a5a5u
#define NEAR        ((size_t)256) /* of the stack pointer: not filled */

/* The memory below the stack pointer is unused. */
#define BELOW __attribute__((noinline, no_sanitize("address", "thread")))

BELOW size_t small_stack_fill(size_t limit)
{
    uintptr_t end = (uintptr_t)__builtin_frame_address(0) - NEAR;

    for (uintptr_t at = limit; at < end / 8 * 8; at += 8)
        *(volatile uint64_t *)at = FILL;
    return end;
}

BELOW size_t small_stack_lowest(size_t limit, size_t end)
{
    uintptr_t at = limit;

    while (at < end && *(volatile uint64_t *)at == FILL)
        at += 8;
    return at;
}

struct run {
    size_t room, used;
    void (*before)(void), (*body)(void), (*after)(void);
    uintptr_t limit;
};

BELOW static void call_near_the_end(struct run *run)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    volatile char *pad = __builtin_alloca(here - run->limit - run->room);
    uintptr_t end;

    pad[0] = 0;
    end = small_stack_fill(run->limit);
    run->body();
    run->used = end + NEAR - small_stack_lowest(run->limit, end);
    pad[0] = 1;
}

static void *run_all(void *arg)
{
    struct run *run = arg;

    if (run->before != NULL)
        run->before();
    call_near_the_end(run);
    if (run->after != NULL)
        run->after();
    return NULL;
}

size_t small_stack_run(size_t room, void (*before)(void), void (*body)(void),
                       void (*after)(void))
{
    char *memory = mmap(NULL, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct run run = {room, 0, before, body, after, 0};
    pthread_attr_t attributes;
    pthread_t thread;

    REQUIRE(memory != MAP_FAILED);
    REQUIRE(mprotect(memory, GUARD_BYTES, PROT_NONE) == 0);
    run.limit = (uintptr_t)memory + GUARD_BYTES;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, memory + GUARD_BYTES,
                                  STACK_BYTES) == 0);
    REQUIRE(pthread_create(&thread, &attributes, run_all, &run) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    (void)pthread_attr_destroy(&attributes);
    (void)munmap(memory, GUARD_BYTES + STACK_BYTES);
    return run.used;
}
