/*
 * guests.h: guests for the tests of the allocator.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_MALLOC_GUESTS_H
#define TESTS_MALLOC_GUESTS_H

#include <moat/moat.h>

#include "support/fixture.h"

#define QUOTA ((size_t)16 << 20)

/* Creates a guest; with quota 0 it has no heap until it takes memory. */
static inline moat_co *guest_with(moat_entry entry, size_t quota)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = NULL;

    limits.memory_bytes = quota;
    options.limits = quota != 0 ? &limits : NULL;
    REQUIRE(moat_co_create(&co, entry, &options) == MOAT_OK);
    return co;
}

static inline moat_event_kind guest_resume(moat_co *co, void *input)
{
    moat_event event;

    REQUIRE(moat_co_resume(co, input, &event) == MOAT_OK);
    return event.kind;
}

/* Runs a guest with a heap of QUOTA bytes to its end. */
static inline void guest_run(moat_entry entry, void *input)
{
    moat_co *co = guest_with(entry, QUOTA);

    EXPECT_EQ(guest_resume(co, input), MOAT_EVENT_RETURN);
    moat_co_destroy(co);
}

static inline moat_trap_kind guest_trap_kind(const moat_co *co)
{
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    return moat_co_trap_info(co, &info) == MOAT_OK ? info.kind : MOAT_TRAP_NONE;
}

#endif
