/*
 * refuse.h: why a call is refused, for moat_error_detail.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_REFUSE_H
#define SCHED_REFUSE_H

#include <stdint.h>

#include <moat/status.h>

/* An argument is bad. The sentence is static. */
static inline moat_status refuse(const char *sentence)
{
    (void)moat_error_note(MOAT_E_INVAL, sentence, 0, 0);
    return MOAT_E_INVAL;
}

static inline moat_status refuse_value(const char *sentence, uint64_t value)
{
    (void)moat_error_note(MOAT_E_INVAL, sentence, value, 0);
    return MOAT_E_INVAL;
}

static inline moat_status refuse_pointer(const char *sentence,
                                         const void *value)
{
    return refuse_value(sentence, (uintptr_t)value);
}

#endif
