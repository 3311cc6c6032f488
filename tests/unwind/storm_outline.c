/*
 * storm_outline.c: the part of storm.c that uses the out-of-line ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_NO_INLINE
#    define MOAT_NO_INLINE
#endif
#include <stdlib.h>

#include <moat/moat.h>

#include "tests/unwind/chain.h"

void outline_rounds(moat_co *co, unsigned count);
void *outline_entry(moat_co *self, void *input);

FRAME void *outline_entry(moat_co *self, void *input)
{
    for (;;)
        input = moat_co_yield(self, input);
    return NULL;
}

FRAME void outline_rounds(moat_co *co, unsigned count)
{
    moat_event event;

    for (unsigned i = 0; i < count; i++)
        if (moat_co_resume(co, NULL, &event) != MOAT_OK ||
            event.kind != MOAT_EVENT_YIELD)
            abort();
}
