/*
 * adopt.h: coroutines that pass from one thread to another. <moat/moat.h>
 * includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ADOPT_H
#define MOAT_ADOPT_H

#include <moat/co.h>
#include <moat/export.h>
#include <moat/status.h>

MOAT_BEGIN_DECLS

/**
 * Makes a stopped coroutine of another thread the calling thread's.
 *
 * Everything else about it stays: a suspended one goes on where it was, with
 * its limits, its heap and its deferred functions. It may be called again and
 * again. The caller makes sure that the former owner has finished with the
 * coroutine, and that this thread sees what it has done: by a lock, for
 * example. A coroutine of a thread that has ended may be adopted, too.
 *
 * The guest has to bear the change. What its code has found out about its
 * thread before it yielded is that of the former one: errno, thread-local
 * variables, pthread_self, locks that are owned by a thread, and above all the
 * addresses of such variables. Compilers keep these: a function that yields
 * must not name errno or a thread-local variable both before and after that,
 * but call functions that are not inlined. A guest that yields inside a catch
 * clause must not change its thread; nor does one whose time slice has ended,
 * as it may be anywhere. Of a trapped one the backtrace then ends where it was
 * resumed.
 *
 * @param co  a coroutine; of the caller's own thread: no effect
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co is NULL
 *         MOAT_E_STATE   it is running or resuming, its deferred functions are
 *                        running, or its time slice has ended
 *         MOAT_E_NOMEM   no memory for the thread, or for its coroutines of
 *                        these options
 *         MOAT_E_LIMIT   less than 8 KiB of a guest's stack is left
 *         MOAT_E_STACK   the thread's guest was left by longjmp
 *         MOAT_E_SYSTEM  the thread could not be attached; see errno
 *
 * Ownership:     the coroutine becomes the calling thread's
 * Thread-safety: any thread, while no other one uses the coroutine
 * Signal-safety: no
 * Legal in:      FRESH, SUSPENDED, DONE, TRAPPED; the state stays
 * Cost:          a lock, and no system call after the first from these options
 * See also:      moat_co_resume, moat_spec_create
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_adopt(moat_co *co);

MOAT_END_DECLS

#endif
