/*
 * replaced.h: the functions that entries.S jumps to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_REPLACED_H
#define CORPUS_REPLACED_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

/* memory.c */
void *replaced_malloc(size_t bytes);
void *replaced_calloc(size_t count, size_t bytes);
void *replaced_realloc(void *block, size_t bytes);
void *replaced_reallocarray(void *block, size_t count, size_t bytes);
void replaced_free(void *block);
void *replaced_memalign(size_t align, size_t bytes);
void *replaced_aligned_alloc(size_t align, size_t bytes);
int replaced_posix_memalign(void **out, size_t align, size_t bytes);
void *replaced_valloc(size_t bytes);
void *replaced_pvalloc(size_t bytes);

/* intrude.c */
_Noreturn void replaced_exit(int status);
_Noreturn void replaced_quick_exit(int status);

#pragma GCC visibility pop

#endif
