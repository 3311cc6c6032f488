/*
 * walks.h: walks under way, which a fork and a change of libunwind's data wait
 * for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_UNWIND_WALKS_H
#define MOAT_UNWIND_WALKS_H

/* Around all that asks libunwind; they nest. The caller must not be stopped
 * between the two. */
void moat_walk_begin(void);
void moat_walk_end(void);

/* Between the two no other thread has a walk under way. Under moat_codes_lock;
 * nothing that waits for another thread may come between them, except a
 * fork. */
void moat_walks_stop(void);
void moat_walks_go(void);

/* Instead of the latter, in a forked child. */
void moat_walks_after_fork(void);

/* In a child whose fork did not stop the walks: those of other threads are no
 * longer under way. */
void moat_walks_forget_others(void);

#endif
