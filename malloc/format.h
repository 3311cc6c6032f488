/*
 * format.h: printf, scanf and the like, by those that take a va_list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_MALLOC_FORMAT_H
#define MOAT_MALLOC_FORMAT_H

#include <stdarg.h>
#include <wchar.h>

#include "malloc/libc_call.h"
#include "malloc/owner.h"
#include "malloc/real.h"

/* One of the four functions that do the work, as the C library has them. */
union moat_format {
    int (*plain)(FILE *, const char *, va_list);
    int (*checked)(FILE *, int, const char *, va_list);
    int (*wide)(FILE *, const wchar_t *, va_list);
    int (*wide_checked)(FILE *, int, const wchar_t *, va_list);
};

enum moat_format_form {
    MOAT_FORMAT_PLAIN,
    MOAT_FORMAT_CHECKED,
    MOAT_FORMAT_WIDE,
    MOAT_FORMAT_WIDE_CHECKED
};

/* Calls the function `real`, which has that form, with the stream. The format's
 * characters are as wide as the form's. */
int moat_format(struct moat_real *real, enum moat_format_form form,
                FILE *stream, int flag, const void *format, va_list args);

#endif
