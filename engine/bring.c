/*
 * bring.c: coroutines brought in.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/bring.h"

#include "engine/nointr.h"
#include "engine/thread.h"
#include "engine/turn.h"

moat_status moat_bring_away(struct co *co)
{
    moat_status status = moat_nointr_begin(MOAT_STACK_FOR_ENTRY);

    if (status != MOAT_OK)
        return status;
    status = moat_copied_bring(&owner_of(co)->copied, co);
    moat_nointr_end();
    return status;
}

/* Apart, so that a turn of few frames saves no registers. */
static __attribute__((noinline)) int take_turn(struct moat_berth *berth,
                                               struct co *co, uint64_t token)
{
    if (berth->occupant->control.sp != co->control.sp)
        return moat_copied_exchange(&owner_of(co)->copied, berth, co, token);
    moat_turn(berth, co, token);
    return 1;
}

/* As for the inline resume, no more is looked at while no guest runs. */
int moat_co_bring(moat_co *handle)
{
    struct co *co = co_of(handle);
    uint64_t token = MOAT_TLS_READ(MOAT_TLS_TOKEN);
    struct moat_berth *berth;

    if (MOAT_TLS_READ(MOAT_TLS_CURRENT) != 0 || !moat_is_away(co) ||
        co->control.state != (token | MOAT_AWAY_TOKEN))
        return 0;
    berth = moat_turn_berth(co);
    if (!moat_turn_is_plain(berth, token))
        return 0;
    if (berth->occupant->control.sp != co->control.sp ||
        !moat_turn_few(berth, co, token))
        return take_turn(berth, co, token);
    return 1;
}
