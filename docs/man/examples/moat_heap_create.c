/*
 * moat_heap_create.c: A guest takes memory until its quota is used up. All of
 * it is freed at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *fill(moat_co *self, void *input)
{
    moat_heap *heap = moat_co_heap(self);

    while (moat_heap_alloc(heap, 1000) != NULL)
        ++*(int *)input;
    return input;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_event event;
    moat_co *co;
    int blocks = 0;

    if (moat_heap_create(&options.heap, 1 << 20) != MOAT_OK)
        return 1;
    if (moat_co_create(&co, fill, &options) != MOAT_OK ||
        moat_co_resume(co, &blocks, &event) != MOAT_OK)
        return 1;
    printf("%d blocks, %zu bytes\n", blocks, moat_heap_used(options.heap));
    moat_co_destroy(co);
    moat_heap_destroy(options.heap);
    return blocks < 500;
}
