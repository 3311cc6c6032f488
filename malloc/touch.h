/*
 * touch.h: touches a guest's arguments before a lock is taken.
 *
 * A bad pointer then faults on the guest's stack, where it holds nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_TOUCH_H
#define MOAT_MALLOC_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

/* Returns whether the argument is NULL. The headers declare that some never
 * are, and the compiler would believe it. */
bool moat_touch_is_null(const void *argument);

/* Reads a text to its end, and returns how long it is. */
size_t moat_touch_text(const char *text);

/* Reads a list of texts, which ends with NULL. */
void moat_touch_texts(char *const *list);

/* Reads, or reads and writes, each page of the memory. */
void moat_touch_in(const void *memory, size_t bytes);
void moat_touch_out(void *memory, size_t bytes);

#endif
