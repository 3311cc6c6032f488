/*
 * report.h: reports of trapped coroutines in memory: into a buffer, or by a
 * function of the host's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_REPORT_H
#define MOAT_REPORT_H

#include <stddef.h>

#include <moat/cpu.h>
#include <moat/export.h>
#include <moat/status.h>

/** The form of a report. */
typedef enum moat_report_form {
    /* For people: that of moat_co_print_report. */
    MOAT_REPORT_TEXT = 1,
    /* For programs: that of moat_co_write_json. */
    MOAT_REPORT_JSON = 2,
    /* One line without a newline, for logs: the coroutine, the kind of trap,
     * the access or the limit, and the function with file and line. */
    MOAT_REPORT_LINE = 3,
    /* Makes the enum as wide as an int. */
    MOAT_REPORT_FORCE_INT = 0x7fffffff
} moat_report_form;

/**
 * Takes a part of a report; all but very long reports have one part.
 *
 * It is called in moat_co_pass_report, in a section in which deadlines wait,
 * and must return: no longjmp, no exception, no yield.
 *
 * @param bytes  the part, not terminated
 * @param count  its length
 * @param arg    that of moat_co_pass_report
 *
 * Ownership:     the bytes are moat's; valid during the call
 */
typedef void (*moat_report_put)(const char *bytes, size_t count, void *arg);

MOAT_BEGIN_DECLS

/**
 * Writes the report of a trapped coroutine into a buffer.
 *
 * It is composed as those of moat_co_print_report and moat_co_write_json,
 * without the heap. A text is rarely longer than 16 KiB, a JSON report with 256
 * frames rarely longer than 128 KiB, a line rarely longer than 1 KiB.
 *
 * @param co           created by this thread
 * @param form         MOAT_REPORT_...
 * @param[out] buffer  always terminated if size > 0; truncated if too small.
 *                     NULL if size is 0
 * @param size         size of the buffer, in bytes
 * @param[out] length  NULL, or the length of the whole report, without the
 *                     terminator; set with MOAT_OK and MOAT_E_FULL
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co is NULL, buffer is NULL and size is not 0, or an
 *                        unknown form
 *         MOAT_E_FULL    the buffer is too small: it has the report's beginning
 *         MOAT_E_STATE   it is not trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of the stack is left; with little
 *                        more, names are missing, as in moat_co_print_report
 *         MOAT_E_NOMEM   no memory
 *
 * Ownership:     the text is the caller's
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 * See also:      moat_co_pass_report, moat_co_print_report, moat_co_describe
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_format_report(const moat_co *co,
                                                          moat_report_form form,
                                                          char *buffer,
                                                          size_t size,
                                                          size_t *length);

/**
 * Passes the report of a trapped coroutine to a function.
 *
 * @param co    created by this thread
 * @param form  MOAT_REPORT_...
 * @param put   called with the report, or with one part after the other
 * @param arg   passed to put
 *
 * @return MOAT_OK, or
 *         MOAT_E_INVAL   co or put is NULL, or an unknown form
 *         MOAT_E_STATE   it is not trapped
 *         MOAT_E_THREAD  it belongs to another thread
 *         MOAT_E_LIMIT   less than 8 KiB of the stack is left; with little
 *                        more, names are missing, as in moat_co_print_report
 *         MOAT_E_NOMEM   no memory
 *
 * Ownership:     unchanged
 * Thread-safety: the owner's thread
 * Signal-safety: no
 * Legal in:      TRAPPED
 * See also:      moat_report_put, moat_co_format_report
 */
MOAT_API MOAT_NODISCARD moat_status moat_co_pass_report(const moat_co *co,
                                                        moat_report_form form,
                                                        moat_report_put put,
                                                        void *arg);

MOAT_END_DECLS

#endif
