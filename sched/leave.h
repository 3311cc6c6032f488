/*
 * leave.h: how a function returns whose task comes back by a transfer.
 *
 * The CPU predicts a return by the latest call, which was the other task's: it
 * would be mispredicted each time. A jump to the return address is predicted by
 * the jumps before it. LEAVES_BY_JUMP, the attribute of such a function, is the
 * CPU's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_LEAVE_H
#define SCHED_LEAVE_H

/* Of the folder of the CPU, by the build. */
#include SCHED_LEAVE

/* What a public function does rarely, or when it waits, stands apart from it,
 * so that it need not save registers for that. In debug builds it does not, for
 * their backtraces have the names that the program knows. */
#ifdef NDEBUG
#    define APART __attribute__((noinline))
#else
#    define APART inline __attribute__((always_inline))
#endif

#endif
