/*
 * unload_library.c: a library that comes and goes; built several times.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

void *library_call(void *(*fn)(void *), void *arg);
void library_fault(void);

/* The copies differ in size, and so do their frames: where one lies at the
 * addresses of another that has gone, what was known of those is wrong. */
const char library_ballast[LIBRARY_NUMBER * 100000 + 1] = {1};
#define FRAME_BYTES (64 * (LIBRARY_NUMBER + 1))

__attribute__((noinline)) static void *call_below(void *(*fn)(void *),
                                                  void *arg, unsigned depth)
{
    char room[FRAME_BYTES];
    void *result;

    __asm__ volatile("" : : "r"(room) : "memory");
    result = depth == 0 ? fn(arg) : call_below(fn, arg, depth - 1);
    __asm__ volatile("" : : "r"(room) : "memory");
    return result;
}

void *library_call(void *(*fn)(void *), void *arg)
{
    void *result = call_below(fn, arg, 3);

    __asm__ volatile("" ::: "memory");
    return result;
}

void library_fault(void)
{
    __asm__ volatile("movl $1, (%0)" : : "r"((size_t)0) : "memory");
}
