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

/* Calls the function `real` of that form with the stream. */
int moat_format(struct moat_real *real, FILE *stream, const char *format,
                va_list args);
int moat_format_checked(struct moat_real *real, FILE *stream, int flag,
                        const char *format, va_list args);
int moat_format_wide(struct moat_real *real, FILE *stream,
                     const wchar_t *format, va_list args);
int moat_format_wide_checked(struct moat_real *real, FILE *stream, int flag,
                             const wchar_t *format, va_list args);

#endif
