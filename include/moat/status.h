/*
 * status.h: was the call legal, and could it be done?
 *
 * A status answers for the API call. What the guest did is an event (co.h): a
 * guest's fault is never a status.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_STATUS_H
#define MOAT_STATUS_H

#include <moat/export.h>

/* X(name, number, sentence). Numbers are pinned; the gaps separate groups.
 * MOAT_E_LIMIT: a guest has too little of its stack left for the call, or a
 * backtrace has more frames than the caller's array holds. */
/* clang-format off */
#define MOAT_STATUS_MAP(X)                                                                       \
    X(MOAT_OK,                0, "done")                                                         \
    X(MOAT_E_INVAL,          -1, "an argument is NULL, out of range or contradictory")           \
    X(MOAT_E_NOMEM,          -2, "memory, address space or mappings are used up")                \
    X(MOAT_E_OVERLAP,        -3, "a part of the range is registered already")                    \
    X(MOAT_E_STATE,         -10, "the object is in a state in which this call is not legal")     \
    X(MOAT_E_THREAD,        -11, "the coroutine belongs to another thread")                      \
    X(MOAT_E_UNSUPPORTED,   -20, "this build, kernel or machine does not offer that")            \
    X(MOAT_E_LIMIT,         -21, "too little stack is left, or room in the caller's array")      \
    X(MOAT_E_GUARD_LIMIT,   -22, "no mapping is left for another guard: raise vm.max_map_count " \
                                 "or use Linux 6.13 or later")                                   \
    X(MOAT_E_HANDLER_LOST,  -30, "a signal handler of moat was replaced by somebody else")       \
    X(MOAT_E_SYSTEM,        -40, "a system call failed; errno says why")                         \
    X(MOAT_E_FAULT,         -50, "the function that was to be called has faulted")
/* clang-format on */

typedef enum moat_status {
#define MOAT_STATUS_ENUM(name, number, sentence) name = number,
    MOAT_STATUS_MAP(MOAT_STATUS_ENUM)
#undef MOAT_STATUS_ENUM
        MOAT_STATUS_FORCE_INT = 0x7fffffff /* the enum is as wide as an int */
} moat_status;

MOAT_BEGIN_DECLS

/**
 * Names a status: "MOAT_E_STATE"; "MOAT_E_?" for a number that has no name.
 *
 * Ownership: static storage. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const char *moat_status_name(moat_status status);

/**
 * Explains a status in a sentence without a full stop.
 *
 * Ownership: static storage. Thread-safety: any. Signal-safety: yes.
 */
MOAT_API const char *moat_status_str(moat_status status);

MOAT_END_DECLS

#endif
