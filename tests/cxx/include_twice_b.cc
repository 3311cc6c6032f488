/*
 * include_twice_b.cc: the other file; see include_twice_a.cc.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>
#include <moat/moat.h> // a second time on purpose: the guards must hold

moat_status resume_from_b(moat_co *co, void *input, moat_event *event);

moat_status resume_from_b(moat_co *co, void *input, moat_event *event)
{
    return moat_co_resume(co, input, event);
}
