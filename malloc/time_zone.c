/*
 * time_zone.c: functions that take the lock of the time zone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <time.h>
#include <wchar.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* The C++ library calls it by this name. */
size_t __strftime_l(char *text, size_t room, const char *format,
                    const struct tm *parts, locale_t locale);

/* clang-format off */

WRAPV_0(tzset, NOTHING)
WRAP_1(struct tm *, localtime, IN(a), const time_t *)
WRAP_2(struct tm *, localtime_r, IN(a); OUT(b), const time_t *, struct tm *)
WRAP_1(struct tm *, gmtime, IN(a), const time_t *)
WRAP_2(struct tm *, gmtime_r, IN(a); OUT(b), const time_t *, struct tm *)
WRAP_1(time_t, mktime, OUT(a), struct tm *)
WRAP_1(time_t, timelocal, OUT(a), struct tm *)
WRAP_1(time_t, timegm, OUT(a), struct tm *)
WRAP_1(char *, ctime, IN(a), const time_t *)
WRAP_2(char *, ctime_r, IN(a); OUT_N(b, 26), const time_t *, char *)
WRAP_4(size_t, strftime, TEXT(c); IN(d), char *, size_t, const char *,
       const struct tm *)
WRAP_5(size_t, strftime_l, TEXT(c); IN(d), char *, size_t, const char *,
       const struct tm *, locale_t)
WRAP_5(size_t, __strftime_l, TEXT(c); IN(d), char *, size_t, const char *,
       const struct tm *, locale_t)
WRAP_3(char *, strptime, TEXT(a); TEXT(b); OUT(c), const char *, const char *,
       struct tm *)
WRAP_4(size_t, wcsftime, IN(d), wchar_t *, size_t, const wchar_t *,
       const struct tm *)
WRAP_5(size_t, wcsftime_l, IN(d), wchar_t *, size_t, const wchar_t *,
       const struct tm *, locale_t)
WRAP_1(struct tm *, getdate, TEXT(a), const char *)
WRAP_2(int, getdate_r, TEXT(a); OUT(b), const char *, struct tm *)

/* clang-format on */
