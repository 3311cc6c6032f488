/*
 * bring.c: coroutines brought in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/bring.h"

#include "engine/nointr.h"
#include "engine/thread.h"

moat_status moat_bring_away(struct co *co)
{
    moat_status status = moat_nointr_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    status = moat_copied_bring(&owner_of(co)->copied, co);
    moat_nointr_end();
    return status;
}
