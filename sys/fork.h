/*
 * fork.h: notices that the process is a forked child, however it was forked,
 * and distinguishes the processes that share one memory.
 *
 * A system that cannot tell never reports a fork; then only fork(3) is noticed,
 * by handlers of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SYS_FORK_H
#define MOAT_SYS_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* Each takes note of a fork for itself. */
enum moat_fork_watcher {
    MOAT_FORK_DEADLINES,
    MOAT_FORK_TASKS,
    MOAT_FORK_FILTERS,
    MOAT_FORK_CREWS,
    MOAT_FORK_CLOCKS,
    MOAT_FORK_WATCHERS /* how many there are */
};

/* Begins and ends to watch. The caller holds a lock around both. */
void moat_fork_watch(void);
void moat_fork_unwatch(void);

/* Returns whether this is a child since moat_fork_watch or the watcher's
 * moat_fork_settle. Not of a fork that shares the memory. Signal-safe: yes. */
bool moat_fork_happened(enum moat_fork_watcher watcher);

/* Returns whether a fork would be reported. Signal-safe: yes. */
bool moat_fork_can_tell(void);

/* The watcher has taken note. Signal-safe: yes. */
void moat_fork_settle(enum moat_fork_watcher watcher);

/* Makes a word that is 0 in each child that has a copy of the memory; NULL: the
 * system has no such words, or no memory. Frees it. */
uint64_t *moat_fork_word_make(void);
void moat_fork_word_free(uint64_t *word);

/* Returns the system's number of the calling thread. Thread-locals do not tell:
 * the child of a vfork has those of its parent. Signal-safe: yes. */
int moat_fork_task(void);

/* Ends the calling process, which shares memory with the thread of that number,
 * if it shares the signal dispositions as well: an action that ends it would be
 * the other's, too. Signal-safe: yes. */
void moat_fork_end_clone(int of_task);

#endif
