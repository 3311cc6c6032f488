/*
 * lock_watch.h: notices calls of the heap, of stdio, of the dynamic linker and
 * of the like that a thread makes while it holds a lock of a library's.
 *
 * The program that is linked with lock_watch.c defines those functions instead
 * of the C library's, and passes each call on. A lock is the library's if
 * it lies in its data: the shared library, unchanged, is watched.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_LOCK_WATCH_H
#define TESTS_SUPPORT_LOCK_WATCH_H

/* Begins to watch the library that the address lies in. One thread, once. */
void lock_watch_begin(const void *in_library);

/* Calls from the library whose file name has this in it are not counted. */
void lock_watch_spare(const char *library);

/* Returns how many such calls there were so far; each has been printed. */
unsigned long lock_watch_calls(void);

/* Returns how often the library has taken a lock. */
unsigned long lock_watch_locks(void);

#endif
