/*
 * outline_switch.c: the inline resume, yield and switch_to as symbols, with a
 * backend other than the native one. The native one has them in assembler.
 *
 * moat_co_settle and the slow functions look at their caller, which must be
 * that of the function here: they are called at its end, by a jump. For that
 * the file is optimised in every build, and what a switch writes to does not
 * lie in the frame.
 *
 * The names: see outline.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#define moat_co_resume    resume_inline
#define moat_co_yield     yield_inline
#define moat_co_switch_to switch_to_inline
#include <moat/moat.h>
#undef moat_co_resume
#undef moat_co_yield
#undef moat_co_switch_to

MOAT_API __typeof__(moat_co_resume_slow) moat_co_resume;
MOAT_API __typeof__(moat_co_yield_slow) moat_co_yield;
MOAT_API __typeof__(moat_co_switch_to_slow) moat_co_switch_to;

_Static_assert(sizeof(struct moat_switched) <= sizeof(moat_event),
               "the event's memory takes what a switch brings");

moat_status moat_co_resume(moat_co *co, void *input, moat_event *out)
{
    struct moat_switched back;

    if (co == NULL || out == NULL || !moat_co_needs_only_the_switch(co))
        return moat_co_resume_slow(co, input, out);
    MOAT_SWITCH_PREPARE();
    co->resumer = (uintptr_t)MOAT_TLS_READ(MOAT_TLS_CURRENT);
    MOAT_TLS_WRITE_CURRENT(co);
    moat_switch_body(co, input, MOAT_COMMAND_NONE,
                     (struct moat_switched *)(void *)out);
    memcpy(&back, out, sizeof back);
    MOAT_TLS_WRITE_CURRENT(back.co->resumer);
    if (back.kind > MOAT_EVENT_RETURN)
        return moat_co_settle(back.co, back.value, back.kind, out);
    out->kind = (moat_event_kind)back.kind;
    out->value = back.value;
    out->co = back.co;
    return MOAT_OK;
}

void *moat_co_yield(moat_co *self, void *value)
{
    return yield_inline(self, value);
}

moat_status moat_co_switch_to(moat_co *self, moat_co *other, void *value,
                              void **input)
{
    return switch_to_inline(self, other, value, input);
}
