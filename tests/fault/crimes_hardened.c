/*
 * crimes_hardened.c: overflows that checks of the compiler and the C library
 * detect. Built with -fstack-protector-strong, _FORTIFY_SOURCE=2 at -O2, and
 * -fstack-clash-protection, and never with a sanitizer, which would detect them
 * first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crimes.h"

#include <string.h>

#ifndef __OPTIMIZE__
#    error "_FORTIFY_SOURCE does nothing without optimisation"
#endif

/* Volatile, so that the compiler cannot know the sizes. */
static volatile size_t too_many = 64;

static __attribute__((noinline)) void fill(volatile char *where, size_t count)
{
    for (size_t i = 0; i < count; i++)
        where[i] = 'A';
}

static __attribute__((noinline)) int fill_too_much(void)
{
    volatile char small[16];

    fill(small, too_many);
    return small[3];
}

void *crime_smashed_canary(moat_co *self, void *scene)
{
    (void)self;
    (void)scene;
    return (void *)(uintptr_t)(unsigned)fill_too_much();
}

void *crime_fortify(moat_co *self, void *scene)
{
    char small[16];

    (void)self;
    memcpy(small, scene, too_many);
    fill(small, 1);
    return (void *)(uintptr_t)(unsigned char)small[3];
}

/* Writes only to the far end, so the prologue has to detect the overflow. */
void *crime_big_frame_probed(moat_co *self, void *scene)
{
    volatile char big[1u << 20];

    (void)self;
    (void)scene;
    big[0] = 1;
    fill(big, 16);
    return (void *)(uintptr_t)(unsigned char)big[0];
}
