/*
 * stdio_unlocked.c: functions of streams that take no lock. The first one that
 * a stream is used with makes its buffer, which stays for the process: so they
 * run on the host's stack like the others. The headers' putc_unlocked and
 * getc_unlocked call __overflow and __uflow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Of the headers' macros, and of older programs; <stdio.h> declares two more.
 */
int __underflow(FILE *stream);
wint_t __woverflow(FILE *stream, wint_t letter);
wint_t __wuflow(FILE *stream);
wint_t __wunderflow(FILE *stream);

/* Of fortified programs. */
char *__fgets_unlocked_chk(char *text, size_t size, int count, FILE *stream);
size_t __fread_unlocked_chk(void *memory, size_t room, size_t size,
                            size_t count, FILE *stream);
wchar_t *__fgetws_unlocked_chk(wchar_t *text, size_t size, int count,
                               FILE *stream);

#undef fread_unlocked
#undef fwrite_unlocked
#undef getc_unlocked
#undef putc_unlocked

/* clang-format off */

WRAP_2(int, __overflow, STREAM(a), FILE *, int)
WRAP_1(int, __uflow, STREAM(a), FILE *)
WRAP_1(int, __underflow, STREAM(a), FILE *)
WRAP_2(wint_t, __woverflow, STREAM(a), FILE *, wint_t)
WRAP_1(wint_t, __wuflow, STREAM(a), FILE *)
WRAP_1(wint_t, __wunderflow, STREAM(a), FILE *)

WRAP_1(int, fflush_unlocked, STREAM(a), FILE *)
WRAP_4(size_t, fread_unlocked, STREAM(d), void *, size_t, size_t, FILE *)
WRAP_5(size_t, __fread_unlocked_chk, STREAM(e), void *, size_t, size_t, size_t,
       FILE *)
WRAP_4(size_t, fwrite_unlocked, STREAM(d), const void *, size_t, size_t, FILE *)
WRAP_3(char *, fgets_unlocked, STREAM(c), char *, int, FILE *)
WRAP_4(char *, __fgets_unlocked_chk, STREAM(d), char *, size_t, int, FILE *)
WRAP_2(int, fputs_unlocked, STREAM(b), const char *, FILE *)
WRAP_1(int, getc_unlocked, STREAM(a), FILE *)
WRAP_1(int, fgetc_unlocked, STREAM(a), FILE *)
WRAP_0(int, getchar_unlocked, STREAM(stdin))
WRAP_2(int, putc_unlocked, STREAM(b), int, FILE *)
WRAP_2(int, fputc_unlocked, STREAM(b), int, FILE *)
WRAP_1(int, putchar_unlocked, STREAM(stdout), int)

WRAP_1(wint_t, getwc_unlocked, STREAM(a), FILE *)
WRAP_1(wint_t, fgetwc_unlocked, STREAM(a), FILE *)
WRAP_0(wint_t, getwchar_unlocked, STREAM(stdin))
WRAP_3(wchar_t *, fgetws_unlocked, STREAM(c), wchar_t *, int, FILE *)
WRAP_4(wchar_t *, __fgetws_unlocked_chk, STREAM(d), wchar_t *, size_t, int,
       FILE *)
WRAP_2(wint_t, putwc_unlocked, STREAM(b), wchar_t, FILE *)
WRAP_2(wint_t, fputwc_unlocked, STREAM(b), wchar_t, FILE *)
WRAP_1(wint_t, putwchar_unlocked, STREAM(stdout), wchar_t)
WRAP_2(int, fputws_unlocked, STREAM(b), const wchar_t *, FILE *)

/* clang-format on */
