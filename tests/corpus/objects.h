/*
 * objects.h: the loaded objects of the guest and of the C library, and their
 * writable memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_OBJECTS_H
#define CORPUS_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "heap.h"

/* Finds the C library and the dynamic linker; must be called first. Returns
 * false if they are not found. */
bool objects_open(void);

/* Returns whether the code belongs to the C library or the dynamic linker; to
 * the latter. */
bool objects_is_c_library(const void *code);
bool objects_is_linker(const void *code);

/* Lists the memory in which the C library keeps its own state: its variables
 * and the linker's, those of the calling thread included. Returns the number of
 * ranges, at most OBJECTS_ROOTS. */
#define OBJECTS_ROOTS 16
size_t objects_c_library_memory(struct heap_root *roots);

/* Copies the variables of `guest`, a handle of dlopen, and of the objects it
 * needs except the C library, the dynamic linker and the runner, those of the
 * calling thread included. Returns false if there is no memory. */
bool objects_keep(void *guest);
/* Restores them. */
void objects_restore(void);

/* Returns how many times this process has loaded an object. */
unsigned long long objects_loaded(void);

#endif
