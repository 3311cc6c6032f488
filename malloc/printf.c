/*
 * printf.c: printf, scanf and their family.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/format.h"

/* The headers call those of C99 by these names. */
int gnu_vfscanf(FILE *stream, const char *format,
                va_list args) __asm__("vfscanf");
int gnu_vscanf(const char *format, va_list args) __asm__("vscanf");
int gnu_fscanf(FILE *stream, const char *format, ...) __asm__("fscanf");
int gnu_scanf(const char *format, ...) __asm__("scanf");

/* Those of C99, and of fortified programs, which no header declares. */
int __vfprintf_chk(FILE *stream, int flag, const char *format, va_list args);
int __vprintf_chk(int flag, const char *format, va_list args);
int __fprintf_chk(FILE *stream, int flag, const char *format, ...);
int __printf_chk(int flag, const char *format, ...);
int __isoc99_vfscanf(FILE *stream, const char *format, va_list args);
int __isoc99_vscanf(const char *format, va_list args);
int __isoc99_fscanf(FILE *stream, const char *format, ...);
int __isoc99_scanf(const char *format, ...);

MOAT_REAL real_vfprintf = {"vfprintf", NULL};

MOAT_API int vfprintf(FILE *stream, const char *format, va_list args)
{
    return moat_format(&real_vfprintf, stream, format, args);
}

MOAT_API int vprintf(const char *format, va_list args)
{
    return moat_format(&real_vfprintf, stdout, format, args);
}

MOAT_API int fprintf(FILE *stream, const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real_vfprintf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int printf(const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real_vfprintf, stdout, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real_checked = {"__vfprintf_chk", NULL};

MOAT_API int __vfprintf_chk(FILE *stream, int flag, const char *format,
                            va_list args)
{
    return moat_format_checked(&real_checked, stream, flag, format, args);
}

MOAT_API int __vprintf_chk(int flag, const char *format, va_list args)
{
    return moat_format_checked(&real_checked, stdout, flag, format, args);
}

MOAT_API int __fprintf_chk(FILE *stream, int flag, const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_checked(&real_checked, stream, flag, format, args);
    va_end(args);
    return out;
}

MOAT_API int __printf_chk(int flag, const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format_checked(&real_checked, stdout, flag, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real_vfscanf = {"vfscanf", NULL};

MOAT_API int gnu_vfscanf(FILE *stream, const char *format, va_list args)
{
    return moat_format(&real_vfscanf, stream, format, args);
}

MOAT_API int gnu_vscanf(const char *format, va_list args)
{
    return moat_format(&real_vfscanf, stdin, format, args);
}

MOAT_API int gnu_fscanf(FILE *stream, const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real_vfscanf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int gnu_scanf(const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real_vfscanf, stdin, format, args);
    va_end(args);
    return out;
}

MOAT_REAL real___isoc99_vfscanf = {"__isoc99_vfscanf", NULL};

MOAT_API int __isoc99_vfscanf(FILE *stream, const char *format, va_list args)
{
    return moat_format(&real___isoc99_vfscanf, stream, format, args);
}

MOAT_API int __isoc99_vscanf(const char *format, va_list args)
{
    return moat_format(&real___isoc99_vfscanf, stdin, format, args);
}

MOAT_API int __isoc99_fscanf(FILE *stream, const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real___isoc99_vfscanf, stream, format, args);
    va_end(args);
    return out;
}

MOAT_API int __isoc99_scanf(const char *format, ...)
{
    va_list args;
    int out;

    va_start(args, format);
    out = moat_format(&real___isoc99_vfscanf, stdin, format, args);
    va_end(args);
    return out;
}
