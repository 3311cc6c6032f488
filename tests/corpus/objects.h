/*
 * objects.h: the loaded objects: which are the guest's, which the C library's;
 * their writable memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_OBJECTS_H
#define CORPUS_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "heap.h"

/* Looks where the C library and the dynamic linker are; first of all. False:
 * they are not found. */
bool objects_open(void);

/* Code of the C library or of the dynamic linker; of the latter. */
bool objects_is_c_library(const void *code);
bool objects_is_linker(const void *code);

/* The memory in which the C library keeps what is its own: its variables and
 * the linker's, those of the calling thread too. Gives how many of the
 * OBJECTS_ROOTS ranges there are. */
#define OBJECTS_ROOTS 16
size_t objects_c_library_memory(struct heap_root *roots);

/* Keeps the variables of `guest`, a handle of dlopen, and of all it needs but
 * the C library, the dynamic linker and the runner; those of the calling thread
 * among them. False: no memory. */
bool objects_keep(void *guest);
/* Puts them back. */
void objects_restore(void);

/* How often an object has been loaded into this process. */
unsigned long long objects_loaded(void);

#endif
