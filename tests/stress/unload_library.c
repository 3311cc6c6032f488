/*
 * unload_library.c: a library that is loaded and unloaded; built several times.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>

void *library_call(void *(*fn)(void *), void *arg);
void library_fault(void);

/* The copies and their frames differ in size: if one is loaded at the addresses
 * of another that was unloaded, stale unwind information is wrong. */
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
