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
    union moat_format function;
    FILE *stream;
    int flag;
    const void *format;
    va_list args;
    int out;
};

static struct format_call *begin(struct moat_libc_call *call)
{
    struct format_call *each = (struct format_call *)call;

    moat_real_get(each->real, &each->function);
    return each;
}

static void run_plain(struct moat_libc_call *call)
{
    struct format_call *each = begin(call);

    each->out = each->function.plain(each->stream, each->format, each->args);
}

int moat_format(struct moat_real *real, FILE *stream, const char *format,
                va_list args)
{
    struct format_call each = {.call = {.run = run_plain, .stream = stream},
                               .real = real,
                               .stream = stream,
                               .format = format};

    moat_arguments_look(real->name, format, false, args);
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
    return each.out;
}

static void run_checked(struct moat_libc_call *call)
{
    struct format_call *each = begin(call);

    each->out = each->function.checked(each->stream, each->flag, each->format,
                                       each->args);
}

int moat_format_checked(struct moat_real *real, FILE *stream, int flag,
                        const char *format, va_list args)
{
    struct format_call each = {.call = {.run = run_checked, .stream = stream},
                               .real = real,
                               .stream = stream,
                               .flag = flag,
                               .format = format};

    moat_arguments_look(real->name, format, false, args);
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
    return each.out;
}

static void run_wide(struct moat_libc_call *call)
{
    struct format_call *each = begin(call);

    each->out = each->function.wide(each->stream, each->format, each->args);
}

int moat_format_wide(struct moat_real *real, FILE *stream,
                     const wchar_t *format, va_list args)
{
    struct format_call each = {.call = {.run = run_wide, .stream = stream},
                               .real = real,
                               .stream = stream,
                               .format = format};

    moat_arguments_look(real->name, format, true, args);
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
    return each.out;
}

static void run_wide_checked(struct moat_libc_call *call)
{
    struct format_call *each = begin(call);

    each->out = each->function.wide_checked(each->stream, each->flag,
                                            each->format, each->args);
}

int moat_format_wide_checked(struct moat_real *real, FILE *stream, int flag,
                             const wchar_t *format, va_list args)
{
    struct format_call each = {
        .call = {.run = run_wide_checked, .stream = stream},
        .real = real,
        .stream = stream,
        .flag = flag,
        .format = format};

    moat_arguments_look(real->name, format, true, args);
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
    return each.out;
}
