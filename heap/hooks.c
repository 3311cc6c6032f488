/*
 * hooks.c: the allocators of interpreters.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/heap.h>

void *moat_heap_duk_alloc(void *heap, size_t bytes)
{
    return bytes != 0 ? moat_heap_alloc(heap, bytes) : NULL;
}

void *moat_heap_duk_realloc(void *heap, void *pointer, size_t bytes)
{
    if (bytes != 0)
        return moat_heap_realloc(heap, pointer, bytes);
    moat_heap_free(heap, pointer);
    return NULL;
}

void moat_heap_duk_free(void *heap, void *pointer)
{
    moat_heap_free(heap, pointer);
}

void *moat_heap_lua(void *heap, void *pointer, size_t had, size_t bytes)
{
    (void)had;
    return moat_heap_duk_realloc(heap, pointer, bytes);
}
