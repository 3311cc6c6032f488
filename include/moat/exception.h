/*
 * exception.h: exceptions that left a guest, for hosts in C.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EXCEPTION_H
#define MOAT_EXCEPTION_H

#include <stdbool.h>
#include <stddef.h>

#include <moat/export.h>
#include <moat/status.h>

/** The type and text of an exception. Unknown texts are "". */
typedef struct moat_exception_info {
    /* sizeof(moat_exception_info); MOAT_EXCEPTION_INFO_INIT sets it. */
    size_t struct_size;
    /* One of C++; otherwise nothing else is known. */
    bool is_cxx;
    /* The type, such as "std::runtime_error". Mangled if the program has no
     * demangler. */
    char type[256];
    /* The text of what(), if the type derives from std::exception; truncated if
     * it is longer. */
    char what[512];
} moat_exception_info;

#define MOAT_EXCEPTION_INFO_INIT                    \
    {                                               \
        sizeof(moat_exception_info), false, {'\0'}, \
        {                                           \
            '\0'                                    \
        }                                           \
    }

MOAT_BEGIN_DECLS

/**
 * Describes the exception of a MOAT_EVENT_PANIC.
 *
 * what() is a function of the guest's: it runs on a coroutine that is created
 * for it, with a time limit of a second. If it faults or does not return,
 * `what` is empty. It is asked for with libstdc++ only.
 *
 * @param exception  the event's value, before _Unwind_DeleteException and
 *                   before the coroutine is destroyed: under moat-malloc the
 *                   object lies in the guest's heap
 * @param[out] out   written only on MOAT_OK, up to its struct_size, which the
 *                   caller has set
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL  an argument is NULL, or out->struct_size is that of no
 *                       version, such as 0
 *         MOAT_E_LIMIT  called on a guest's stack with less than 8 KiB left
 *         MOAT_E_NOMEM, or another of moat_co_create: no coroutine to ask on
 *
 * Ownership:     the texts are the caller's; the exception stays the host's
 * Thread-safety: any
 * Signal-safety: no
 * See also:      moat_event_kind, moat_exception_info
 */
MOAT_API MOAT_NODISCARD moat_status
moat_exception_describe(const void *exception, moat_exception_info *out);

MOAT_END_DECLS

#endif
