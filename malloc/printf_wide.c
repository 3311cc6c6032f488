/*
 * printf_wide.c: wprintf, wscanf and their family.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/format.h"

/* The headers call those of C99 by these names. */
int gnu_vfwscanf(FILE *stream, const wchar_t *format,
                 va_list args) __asm__("vfwscanf");
int gnu_vwscanf(const wchar_t *format, va_list args) __asm__("vwscanf");
int gnu_fwscanf(FILE *stream, const wchar_t *format, ...) __asm__("fwscanf");
int gnu_wscanf(const wchar_t *format, ...) __asm__("wscanf");

/* Those of C99, and of fortified programs, which no header declares. */
int __vfwprintf_chk(FILE *stream, int flag, const wchar_t *format,
                    va_list args);
int __vwprintf_chk(int flag, const wchar_t *format, va_list args);
int __fwprintf_chk(FILE *stream, int flag, const wchar_t *format, ...);
int __wprintf_chk(int flag, const wchar_t *format, ...);
int __isoc99_vfwscanf(FILE *stream, const wchar_t *format, va_list args);
int __isoc99_vwscanf(const wchar_t *format, va_list args);
int __isoc99_fwscanf(FILE *stream, const wchar_t *format, ...);
int __isoc99_wscanf(const wchar_t *format, ...);

MOAT_REAL real_vfwprintf = {"vfwprintf", NULL};

MOAT_API int vfwprintf(FILE *stream, const wchar_t *format, va_list args)
{
    return moat_format_wide(&real_vfwprintf, stream, format, args);
}

MOAT_API int vwprintf(const wchar_t *format, va_list args)
{
    return moat_format_wide(&real_vfwprintf, stdout, format, args);
}

MOAT_API int fwprintf(FILE *stream, const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real_vfwprintf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int wprintf(const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real_vfwprintf, stdout, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real_checked = {"__vfwprintf_chk", NULL};

MOAT_API int __vfwprintf_chk(FILE *stream, int flag, const wchar_t *format,
                             va_list args)
{
    return moat_format_wide_checked(&real_checked, stream, flag, format, args);
}

MOAT_API int __vwprintf_chk(int flag, const wchar_t *format, va_list args)
{
    return moat_format_wide_checked(&real_checked, stdout, flag, format, args);
}

MOAT_API int __fwprintf_chk(FILE *stream, int flag, const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide_checked(&real_checked, stream, flag, format, args);
    va_end(args);
    return out;
}

MOAT_API int __wprintf_chk(int flag, const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide_checked(&real_checked, stdout, flag, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real_vfwscanf = {"vfwscanf", NULL};

MOAT_API int gnu_vfwscanf(FILE *stream, const wchar_t *format, va_list args)
{
    return moat_format_wide(&real_vfwscanf, stream, format, args);
}

MOAT_API int gnu_vwscanf(const wchar_t *format, va_list args)
{
    return moat_format_wide(&real_vfwscanf, stdin, format, args);
}

MOAT_API int gnu_fwscanf(FILE *stream, const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real_vfwscanf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int gnu_wscanf(const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real_vfwscanf, stdin, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real___isoc99_vfwscanf = {"__isoc99_vfwscanf", NULL};

MOAT_API int __isoc99_vfwscanf(FILE *stream, const wchar_t *format,
                               va_list args)
{
    return moat_format_wide(&real___isoc99_vfwscanf, stream, format, args);
}

MOAT_API int __isoc99_vwscanf(const wchar_t *format, va_list args)
{
    return moat_format_wide(&real___isoc99_vfwscanf, stdin, format, args);
}

MOAT_API int __isoc99_fwscanf(FILE *stream, const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real___isoc99_vfwscanf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int __isoc99_wscanf(const wchar_t *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_wide(&real___isoc99_vfwscanf, stdin, format, args);
    va_end(args);
    return out;
}
