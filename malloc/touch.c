/*
 * touch.c: touches a guest's arguments before a lock is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/touch.h"

#include <stdint.h>

/* No system has smaller pages. */
#define PAGE_BYTES ((size_t)4096)

bool moat_touch_is_null(const void *argument)
{
    const void *volatile given = argument;

    return given == NULL;
}

size_t moat_touch_text(const char *text)
{
    const volatile char *at = text;

    while (*at != '\0')
        at++;
    return (size_t)((const char *)at - text);
}

void moat_touch_texts(char *const *list)
{
    for (; *list != NULL; list++)
        (void)moat_touch_text(*list);
}

/* The next byte to look at; 0: none. */
static uintptr_t next(uintptr_t at, uintptr_t last)
{
    uintptr_t page = (at | (PAGE_BYTES - 1)) + 1;

    if (at == last)
        return 0;
    return page != 0 && page <= last ? page : last;
}

void moat_touch_in(const void *memory, size_t bytes)
{
    uintptr_t at = (uintptr_t)memory, last = at + bytes - 1;

    if (bytes == 0)
        return;
    do {
        (void)*(const volatile char *)at;
        at = next(at, last);
    } while (at != 0);
}

void moat_touch_out(void *memory, size_t bytes)
{
    uintptr_t at = (uintptr_t)memory, last = at + bytes - 1;

    if (bytes == 0)
        return;
    do {
        volatile char *byte = (volatile char *)at;

        *byte = *byte;
        at = next(at, last);
    } while (at != 0);
}
