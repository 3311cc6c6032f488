/*
 * format.c: printf, scanf and the like, by those that take a va_list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/format.h"

#include <moat/moat.h>

#include "malloc/arguments.h"

struct format_call {
    struct moat_libc_call call;
    struct moat_real *real;
    enum moat_format_form form;
    FILE *stream;
    int flag; /* of a form that is checked */
    const void *format;
    va_list args;
    int out;
};

static int call_real(struct format_call *each)
{
    union moat_format function;

    moat_real_get(each->real, &function);
    switch (each->form) {
    case MOAT_FORMAT_CHECKED:
        return function.checked(each->stream, each->flag, each->format,
                                each->args);
    case MOAT_FORMAT_WIDE:
        return function.wide(each->stream, each->format, each->args);
    case MOAT_FORMAT_WIDE_CHECKED:
        return function.wide_checked(each->stream, each->flag, each->format,
                                     each->args);
    case MOAT_FORMAT_PLAIN:
    default:
        return function.plain(each->stream, each->format, each->args);
    }
}

static bool is_wide(enum moat_format_form form)
{
    return form == MOAT_FORMAT_WIDE || form == MOAT_FORMAT_WIDE_CHECKED;
}

static void run(struct moat_libc_call *call)
{
    struct format_call *each = (struct format_call *)call;

    each->out = call_real(each);
}

int moat_format(struct moat_real *real, enum moat_format_form form,
                FILE *stream, int flag, const void *format, va_list args)
{
    struct format_call each = {.call = {.run = run, .stream = stream},
                               .real = real,
                               .form = form,
                               .stream = stream,
                               .flag = flag,
                               .format = format};

    if (!moat_arguments_look(real->name, format, is_wide(form), args))
        return -1;
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
    return each.out;
}
