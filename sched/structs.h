/*
 * structs.h: structs of the public interface that may grow, by the rule of
 * clone3(2), as the engine has it: a caller that knows more fields must leave
 * them zero, one that knows fewer gets zeros for the rest. 0 is no size.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_STRUCTS_H
#define SCHED_STRUCTS_H

#include <stddef.h>

#include <moat/status.h>

/* Copies a struct in. `least` is its size in the first version. */
moat_status moat_sched_copy_in(void *to, size_t size, const void *from,
                               size_t least);
/* Fills in a result, as much of it as the caller knows. */
moat_status moat_sched_copy_out(void *to, const void *from, size_t size,
                                size_t least);

#endif
