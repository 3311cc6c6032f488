/*
 * resume_far.h: the library's moat_co_resume, as a program in another language
 * calls it. Where the header's inline one is in sight, that name means it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_RESUME_FAR_H
#define TESTS_SUPPORT_RESUME_FAR_H

#include <moat/moat.h>

extern moat_status (*const resume_far)(moat_co *, void *, moat_event *);

#endif
