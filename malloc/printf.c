/*
 * printf.c: printf, scanf and their families, of both widths: one list, whose
 * rows differ in the names, the characters and the standard stream.
 *
 * Each function has a name of its own here and the C library's as its label:
 * the headers give some of the latter to functions of other names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/format.h"

/* The four functions of a family: with a list of arguments or with arguments,
 * for a stream or for the standard one. Fortified programs call those with a
 * flag. All end in the first one's real function. */
#define FAMILY(form, character, vf, f, v, plain, standard)                   \
    MOAT_REAL real_##vf = {#vf, NULL};                                       \
                                                                             \
    MOAT_API int moat_##vf(FILE *, const character *, va_list) __asm__(#vf); \
    int moat_##vf(FILE *stream, const character *format, va_list args)       \
    {                                                                        \
        return moat_format(&real_##vf, form, stream, 0, format, args);       \
    }                                                                        \
                                                                             \
    MOAT_API int moat_##v(const character *, va_list) __asm__(#v);           \
    int moat_##v(const character *format, va_list args)                      \
    {                                                                        \
        return moat_format(&real_##vf, form, standard, 0, format, args);     \
    }                                                                        \
                                                                             \
    MOAT_API int moat_##f(FILE *, const character *, ...) __asm__(#f);       \
    int moat_##f(FILE *stream, const character *format, ...)                 \
    {                                                                        \
        va_list args;                                                        \
        int out;                                                             \
                                                                             \
        va_start(args, format);                                              \
        out = moat_##vf(stream, format, args);                               \
        va_end(args);                                                        \
        return out;                                                          \
    }                                                                        \
                                                                             \
    MOAT_API int moat_##plain(const character *, ...) __asm__(#plain);       \
    int moat_##plain(const character *format, ...)                           \
    {                                                                        \
        va_list args;                                                        \
        int out;                                                             \
                                                                             \
        va_start(args, format);                                              \
        out = moat_##v(format, args);                                        \
        va_end(args);                                                        \
        return out;                                                          \
    }

#define CHECKED_FAMILY(form, character, vf, f, v, plain, standard)          \
    MOAT_REAL real_##vf = {#vf, NULL};                                      \
                                                                            \
    MOAT_API int moat_##vf(FILE *, int, const character *,                  \
                           va_list) __asm__(#vf);                           \
    int moat_##vf(FILE *stream, int flag, const character *format,          \
                  va_list args)                                             \
    {                                                                       \
        return moat_format(&real_##vf, form, stream, flag, format, args);   \
    }                                                                       \
                                                                            \
    MOAT_API int moat_##v(int, const character *, va_list) __asm__(#v);     \
    int moat_##v(int flag, const character *format, va_list args)           \
    {                                                                       \
        return moat_format(&real_##vf, form, standard, flag, format, args); \
    }                                                                       \
                                                                            \
    MOAT_API int moat_##f(FILE *, int, const character *, ...) __asm__(#f); \
    int moat_##f(FILE *stream, int flag, const character *format, ...)      \
    {                                                                       \
        va_list args;                                                       \
        int out;                                                            \
                                                                            \
        va_start(args, format);                                             \
        out = moat_##vf(stream, flag, format, args);                        \
        va_end(args);                                                       \
        return out;                                                         \
    }                                                                       \
                                                                            \
    MOAT_API int moat_##plain(int, const character *, ...) __asm__(#plain); \
    int moat_##plain(int flag, const character *format, ...)                \
    {                                                                       \
        va_list args;                                                       \
        int out;                                                            \
                                                                            \
        va_start(args, format);                                             \
        out = moat_##v(flag, format, args);                                 \
        va_end(args);                                                       \
        return out;                                                         \
    }

#define PLAIN             MOAT_FORMAT_PLAIN, char
#define CHECKED           MOAT_FORMAT_CHECKED, char
#define WIDE              MOAT_FORMAT_WIDE, wchar_t
#define WIDE_CHECKED      MOAT_FORMAT_WIDE_CHECKED, wchar_t
#define MAKE(family, ...) family(__VA_ARGS__)

/* clang-format off */
MAKE(FAMILY, PLAIN, vfprintf, fprintf, vprintf, printf, stdout)
MAKE(FAMILY, WIDE, vfwprintf, fwprintf, vwprintf, wprintf, stdout)
MAKE(CHECKED_FAMILY, CHECKED, __vfprintf_chk, __fprintf_chk, __vprintf_chk,
     __printf_chk, stdout)
MAKE(CHECKED_FAMILY, WIDE_CHECKED, __vfwprintf_chk, __fwprintf_chk,
     __vwprintf_chk, __wprintf_chk, stdout)
MAKE(FAMILY, PLAIN, vfscanf, fscanf, vscanf, scanf, stdin)
MAKE(FAMILY, WIDE, vfwscanf, fwscanf, vwscanf, wscanf, stdin)
/* scanf since C99, whose %a is another, and since C23, which reads 0b. */
MAKE(FAMILY, PLAIN, __isoc99_vfscanf, __isoc99_fscanf, __isoc99_vscanf,
     __isoc99_scanf, stdin)
MAKE(FAMILY, WIDE, __isoc99_vfwscanf, __isoc99_fwscanf, __isoc99_vwscanf,
     __isoc99_wscanf, stdin)
MAKE(FAMILY, PLAIN, __isoc23_vfscanf, __isoc23_fscanf, __isoc23_vscanf,
     __isoc23_scanf, stdin)
MAKE(FAMILY, WIDE, __isoc23_vfwscanf, __isoc23_fwscanf, __isoc23_vwscanf,
     __isoc23_wscanf, stdin)
/* clang-format on */
