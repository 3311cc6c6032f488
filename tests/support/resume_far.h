/*
 * resume_far.h: calls the library's moat_co_resume, as a program in another
 * language would. C code that sees the header calls the inline version instead.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_RESUME_FAR_H
#define TESTS_SUPPORT_RESUME_FAR_H

#include <moat/moat.h>

extern moat_status (*const resume_far)(moat_co *, void *, moat_event *);

#endif
