/*
 * stdio_wide.c: functions of streams of wide characters with a fixed list of
 * arguments.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Of fortified programs. */
wchar_t *__fgetws_chk(wchar_t *text, size_t size, int count, FILE *stream);

/* clang-format off */

WRAP_2(int, fwide, STREAM(a), FILE *, int)
WRAP_1(wint_t, getwc, STREAM(a), FILE *)
WRAP_1(wint_t, fgetwc, STREAM(a), FILE *)
WRAP_0(wint_t, getwchar, STREAM(stdin))
WRAP_3(wchar_t *, fgetws, STREAM(c), wchar_t *, int, FILE *)
WRAP_4(wchar_t *, __fgetws_chk, STREAM(d), wchar_t *, size_t, int, FILE *)
WRAP_2(wint_t, putwc, STREAM(b), wchar_t, FILE *)
WRAP_2(wint_t, fputwc, STREAM(b), wchar_t, FILE *)
WRAP_1(wint_t, putwchar, STREAM(stdout), wchar_t)
WRAP_2(int, fputws, STREAM(b), const wchar_t *, FILE *)
WRAP_2(wint_t, ungetwc, STREAM(b), wint_t, FILE *)

/* clang-format on */
