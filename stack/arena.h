/*
 * arena.h: the arena as arena.c keeps it, and as debuggers read it. Nobody else
 * looks inside.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STACK_ARENA_H
#define MOAT_STACK_ARENA_H

#include <stdatomic.h>

#include "stack/stack.h"

struct moat_arena {
    struct moat_arena *next; /* all arenas, newest first                 */
    struct moat_stack_class *stack_class;
    uintptr_t begin, end; /* the reservation                          */
    uintptr_t entries;    /* capacity entries                         */
    uintptr_t cold;       /* capacity cold parts                      */
    uintptr_t slots;      /* lowest address of the lowest slot        */
    uintptr_t slots_end;  /* highest address of slot 0, exclusive     */
    size_t capacity;      /* slots that fit                           */
    atomic_size_t taken;  /* slots 0..taken-1 have been handed out    */
    size_t committed;     /* slots that are accessible                */
};

/* The newest one. */
extern _Atomic(struct moat_arena *) moat_arenas;

#endif
