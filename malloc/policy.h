/*
 * policy.h: the library's options, and what happens to a guest at its quota.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_POLICY_H
#define MOAT_MALLOC_POLICY_H

#include <moat/malloc.h>

extern moat_malloc_options moat_malloc_policy;

/* The running guest's quota does not allow what it asked for. By policy it
 * traps here; or errno is ENOMEM, and the result NULL. */
void *moat_malloc_refuse(void);

#endif
