/*
 * guest.c: what a guest asks of the engine for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "engine/internal.h"

void moat_trap_raise(int user_code)
{
    struct moat_activation *activation = moat_trap_current();

    /* A bug of the host: there is nobody to whom the trap could go. */
    if (activation == NULL || !moat_trap_possible(activation))
        abort();
    moat_trap_now(activation, MOAT_TRAP_RAISED, user_code);
}
