/*
 * libc_call.h: a guest's call of a function of the C library, made for it on
 * the host's stack.
 *
 * There the guest's stack cannot overflow while the function holds a lock. A
 * bad pointer can fault inside: the guest is then stopped, and the lock of the
 * stream that it passed is released.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_LIBC_CALL_H
#define MOAT_MALLOC_LIBC_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include <moat/export.h>

/* The head of the arguments and the result of a call. */
struct moat_libc_call {
    void (*run)(struct moat_libc_call *call);
    FILE
        *stream; /* whose lock the function takes; NULL: another one, or none */
    bool is_closed; /* the function closes the stream */
    /* While it runs for a guest. */
    bool counted; /* `held` is valid */
    int held;     /* how often the thread had locked the stream */
    struct _pthread_cleanup_buffer cleanups;
};

/* Returns whether a guest calls: not the host, nor a host call on the stack of
 * a guest that has resumed another, nor a handler of the host's. */
bool moat_libc_is_guest(void);

/* Tells moat that functions here hold no lock, whatever their names. */
extern MOAT_API const char moat_keeps_no_lock;

/* Runs call->run(call): for a guest on the host's stack. */
void moat_libc_call(struct moat_libc_call *call);

#endif
