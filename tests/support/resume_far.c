/*
 * resume_far.c: see resume_far.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define MOAT_NO_INLINE 1
#include "resume_far.h"

moat_status (*const resume_far)(moat_co *, void *,
                                moat_event *) = moat_co_resume;
