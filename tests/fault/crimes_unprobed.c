/*
 * crimes_unprobed.c: a frame far larger than the stack, in code that does not
 * probe the stack. Built without -fstack-clash-protection and without
 * sanitizers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crimes.h"

void *crime_big_frame_unprobed(moat_co *self, void *scene)
{
    volatile char big[1u << 20];

    (void)self;
    (void)scene;
    big[0] = 1;
    __asm__ volatile("" : : "r"(big) : "memory"); /* keep all of it */
    return (void *)(uintptr_t)(unsigned char)big[0];
}
