/*
 * status.h: the result of a call: was it legal, and could it be done.
 *
 * A status is about the call. The guest's actions are events (event.h): a
 * guest's fault is never a status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STATUS_H
#define MOAT_STATUS_H

#include <stdint.h>

#include <moat/export.h>

/* X(name, number, sentence). Numbers are pinned; the gaps separate groups. */
/* clang-format off */
#define MOAT_STATUS_MAP(X)                                                     \
    X(MOAT_OK,              0, "done")                                         \
    X(MOAT_E_INVAL,        -1, "an argument is NULL, out of range or "         \
                               "contradictory")                                \
    X(MOAT_E_NOMEM,        -2, "memory, address space or mappings are "        \
                               "exhausted")                                    \
    X(MOAT_E_OVERLAP,      -3, "part of the range is already registered")      \
    X(MOAT_E_STATE,       -10, "the call is not legal in the object's state")  \
    X(MOAT_E_THREAD,      -11, "the coroutine belongs to another thread")      \
    X(MOAT_E_STACK,       -12, "the thread is not on its guest's stack: "      \
                               "destroy a guest that was left by longjmp, "    \
                               "park one that waits, register a stack that "   \
                               "it has made")                                  \
    X(MOAT_E_UNSUPPORTED, -20, "not available in this build, kernel or "       \
                               "machine")                                      \
    X(MOAT_E_LIMIT,       -21, "too little stack is left")                     \
    X(MOAT_E_GUARD_LIMIT, -22, "no mapping is left for another guard: raise "  \
                               "vm.max_map_count or use Linux 6.13 or later")  \
    X(MOAT_E_HANDLER_LOST, -30, "a signal handler of moat was replaced by "    \
                                "other code")                                  \
    X(MOAT_E_SYSTEM,      -40, "a system call failed; see errno")              \
    X(MOAT_E_FAULT,       -50, "the called function has faulted")              \
    X(MOAT_E_EXCEPTION,   -51, "an exception has left the called function")    \
    X(MOAT_E_CLOSED,      -60, "the channel is closed, and nothing is left in " \
                               "it")                                           \
    X(MOAT_E_TIMEOUT,     -61, "the deadline has passed")                      \
    X(MOAT_E_CANCELLED,   -62, "the task or its group is cancelled")           \
    X(MOAT_E_DEADLOCK,    -63, "every task waits, and nothing can wake one")   \
    X(MOAT_E_OWNER_DIED,  -64, "the owner ended without unlocking: the caller " \
                               "owns it now")                                  \
    X(MOAT_E_RESTARTS,    -65, "the supervisor gives up: its children have "   \
                               "failed too often")                             \
    X(MOAT_E_FULL,        -70, "an array is full, the caller's or one of a "   \
                               "fixed size, and there is more")
/* clang-format on */

/**
 * The result of a call; MOAT_OK is 0, errors are negative.
 *
 * MOAT_E_LIMIT means that too little of the stack is left for the call.
 * MOAT_E_FULL means that an array is full, and there is more: the caller's, or
 * one of the library's whose size is fixed.
 * moat_error_detail names the argument that was refused.
 */
typedef enum moat_status {
#define MOAT_STATUS_ENUM(name, number, sentence) name = number,
    MOAT_STATUS_MAP(MOAT_STATUS_ENUM)
#undef MOAT_STATUS_ENUM
    /* Makes the enum as wide as an int. */
    MOAT_STATUS_FORCE_INT = 0x7fffffff
} moat_status;

MOAT_BEGIN_DECLS

/**
 * Returns the name of a status, such as "MOAT_E_STATE".
 *
 * @param status  any number
 * @return the name; "MOAT_E_?" for a number that has none
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_status_name(moat_status status);

/**
 * Explains a status in a sentence without a full stop.
 *
 * @param status  any number
 * @return the sentence; a text for unknown numbers, too
 *
 * Ownership:     static storage
 * Thread-safety: any
 * Signal-safety: yes
 */
MOAT_API const char *moat_status_str(moat_status status);

/**
 * Explains why this thread's last refused call was refused.
 *
 * The sentence begins with the name of the status that it explains and names
 * the argument, its value and the values that are allowed; the environment
 * variable; or the function of the system that failed, with errno. It is for
 * people and for logs: the words may change.
 *
 * Only refusals with MOAT_E_INVAL, MOAT_E_LIMIT, MOAT_E_UNSUPPORTED,
 * MOAT_E_SYSTEM or MOAT_E_FULL have a sentence, also those of the libraries
 * that stand on moat. Other statuses need none. They, and calls that succeed,
 * leave the sentence of an earlier refusal: compare its first word with the
 * status, and ask at once, since a later call may note a reason even if it
 * succeeds. moat_error_str compares, and has a text for every status.
 *
 * @return a sentence without a full stop, such as "MOAT_E_INVAL:
 *         limits->slice_ns is 5: it must be 0 or at least 20000"; "" if the
 *         thread was refused nothing
 *
 * Ownership:     the thread's; valid until its next call of this function or
 *                of moat_error_str
 * Thread-safety: any; each thread has its own
 * Signal-safety: no
 * See also:      moat_error_note, moat_error_str, moat_status_str
 */
MOAT_API const char *moat_error_detail(void);

/**
 * Explains a status that a call of this thread has just returned.
 *
 * The text is the sentence of moat_error_detail if that is about the status,
 * else the status's name and the text of moat_status_str. So it is never empty,
 * and never about an earlier refusal with another status. errno stays as it is.
 *
 * @param status  the result of the call; any number
 * @return a sentence without a full stop, such as "MOAT_E_STATE: the call is
 *         not legal in the object's state"
 *
 * Ownership:     the thread's; valid until its next call of this function or
 *                of moat_error_detail
 * Thread-safety: any; each thread has its own
 * Signal-safety: no
 * See also:      moat_error_detail, moat_status_name
 */
MOAT_API const char *moat_error_str(moat_status status);

/**
 * Notes why a call is refused, for moat_error_detail.
 *
 * For libraries that stand on moat and return its statuses. It costs some
 * stores; the sentence is put together when it is asked for.
 *
 * @param status    why the call is refused
 * @param sentence  static storage; without a full stop. In it "%u" stands for
 *                  the next value as a number, "%d" as one with a sign, "%x"
 *                  as an address, "%s" as a text, for which the value is its
 *                  address, in static storage; "%e" is the present errno
 * @param first     the first value
 * @param second    the second value
 * @return `status`, which is not MOAT_OK, but
 *         MOAT_E_INVAL   or another, as passed
 *         MOAT_E_SYSTEM  likewise; errno is noted as well
 *
 * Ownership:     nothing is copied
 * Thread-safety: any
 * Signal-safety: yes
 * See also:      moat_error_detail
 */
MOAT_API moat_status moat_error_note(moat_status status, const char *sentence,
                                     uint64_t first, uint64_t second);

MOAT_END_DECLS

#endif
