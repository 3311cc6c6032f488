/*
 * step_outline.c: the functions of step.c that use the out-of-line ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_NO_INLINE
#    define MOAT_NO_INLINE
#endif
#include <moat/moat.h>

#include <unistd.h>

#include "tests/unwind/chain.h"

void scene_begin(void);
void scene_end(void);
void outline_switch(moat_co *co);
void *outline_entry(moat_co *self, void *input);
void *outline_transfer_entry(moat_co *self, void *input);
void *outline_partner_entry(moat_co *self, void *input);

/* Inlined, so that the scene itself is the resumer: a chain that loses the
 * frame that resumed then lacks the scene. */
static inline __attribute__((always_inline)) void resume(moat_co *co,
                                                         moat_event_kind kind)
{
    moat_event event;

    if (moat_co_resume(co, NULL, &event) != MOAT_OK || event.kind != kind)
        _exit(1);
}

FRAME void *outline_entry(moat_co *self, void *input)
{
    input = moat_co_yield(self, input);
    input = moat_co_yield(self, input);
    KEEP_FRAME();
    return input;
}

FRAME void outline_switch(moat_co *co)
{
    scene_begin();
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_YIELD);
    resume(co, MOAT_EVENT_RETURN);
    scene_end();
    KEEP_FRAME();
}

static inline __attribute__((always_inline)) void
switch_to(moat_co *self, moat_co *other, void *value)
{
    void *input;

    if (moat_co_switch_to(self, other, value, &input) != MOAT_OK)
        _exit(1);
}

/* As in step.c. */
FRAME void *outline_transfer_entry(moat_co *self, void *input)
{
    switch_to(self, moat_co_user(self), self);
    switch_to(self, moat_co_user(self), self);
    return input;
}

FRAME void *outline_partner_entry(moat_co *self, void *input)
{
    switch_to(self, input, NULL);
    moat_co_yield(self, NULL);
    switch_to(self, input, NULL);
    return NULL;
}
