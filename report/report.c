/*
 * report.c: reports of trapped coroutines: where they go.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include <moat/moat.h>

#include "report/json.h"
#include "report/line.h"
#include "report/text.h"
#include "sys/refusal.h"
#include "trace/trace.h"

static void (*const forms[])(struct moat_description *) = {
    [MOAT_REPORT_TEXT] = moat_report_put_text,
    [MOAT_REPORT_JSON] = moat_report_put_json,
    [MOAT_REPORT_LINE] = moat_report_put_line,
};

static moat_status report(const moat_co *co, moat_report_form form,
                          const struct moat_outlet *outlet, uintptr_t from_sp)
{
    struct moat_description *description;
    moat_status status;

    if (form < MOAT_REPORT_TEXT || form > MOAT_REPORT_LINE)
        return moat_refuse_value(
            MOAT_E_INVAL, "form is %d: no moat_report_form", (uint64_t)form);
    status = moat_description_begin(co, outlet, from_sp, &description);
    if (status != MOAT_OK)
        return status;
    forms[form](description);
    return moat_description_end(description);
}

/* --- to a descriptor ------------------------------------------------------ */

__attribute__((noinline)) moat_status moat_co_print_report(const moat_co *co,
                                                           int fd)
{
    const struct moat_outlet outlet = {.fd = fd};

    return report(co, MOAT_REPORT_TEXT, &outlet, MOAT_CALLER_SP);
}

__attribute__((noinline)) moat_status moat_co_write_json(const moat_co *co,
                                                         int fd)
{
    const struct moat_outlet outlet = {.fd = fd};

    return report(co, MOAT_REPORT_JSON, &outlet, MOAT_CALLER_SP);
}

/* --- into memory ---------------------------------------------------------- */

/* The caller's buffer, and the length of all that was meant for it. */
struct buffer {
    char *to;
    size_t size, length;
};

static void put_in_buffer(const char *bytes, size_t count, void *arg)
{
    struct buffer *buffer = arg;
    size_t room =
        buffer->size > buffer->length ? buffer->size - buffer->length : 0;

    if (room != 0)
        memcpy(buffer->to + buffer->length, bytes, count < room ? count : room);
    buffer->length += count;
}

/* The last byte of a buffer that is too small makes way for the terminator. */
static moat_status terminate(struct buffer *buffer)
{
    if (buffer->length < buffer->size) {
        buffer->to[buffer->length] = '\0';
        return MOAT_OK;
    }
    if (buffer->size != 0)
        buffer->to[buffer->size - 1] = '\0';
    return moat_refuse_values(MOAT_E_FULL,
                              "size is %u: the report has %u bytes and a "
                              "terminator",
                              buffer->size, buffer->length);
}

__attribute__((noinline)) moat_status
moat_co_format_report(const moat_co *co, moat_report_form form, char *to,
                      size_t size, size_t *length)
{
    struct buffer buffer = {to, size, 0};
    const struct moat_outlet outlet = {-1, put_in_buffer, &buffer};
    moat_status status;

    if (to == NULL && size != 0)
        return moat_refuse_value(MOAT_E_INVAL, "buffer is NULL, and size is %u",
                                 size);
    if (size != 0)
        to[0] = '\0';
    status = report(co, form, &outlet, MOAT_CALLER_SP);
    if (status != MOAT_OK)
        return status;
    if (length != NULL)
        *length = buffer.length;
    return terminate(&buffer);
}

__attribute__((noinline)) moat_status moat_co_pass_report(const moat_co *co,
                                                          moat_report_form form,
                                                          moat_report_put put,
                                                          void *arg)
{
    const struct moat_outlet outlet = {-1, put, arg};

    if (put == NULL)
        return moat_refuse(MOAT_E_INVAL, "put is NULL");
    return report(co, form, &outlet, MOAT_CALLER_SP);
}
