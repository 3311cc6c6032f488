/*
 * shapes_outline.c: a resume through the out-of-line ABI.
 *
 * SPDX-License-Identifier: MIT
 */
#define MOAT_NO_INLINE
#include "tests/unwind/shapes.h"

FRAME moat_status shape_resume_outline(moat_co *co,
                                       void (*trapped)(const moat_co *co))
{
    moat_event event;
    moat_status status = moat_co_resume(co, NULL, &event);

    if (status == MOAT_OK && event.kind == MOAT_EVENT_TRAP)
        trapped(event.co);
    KEEP_FRAME();
    return status;
}
