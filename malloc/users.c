/*
 * users.c: the databases of users, groups and log-ins.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <unistd.h>
#include <utmp.h>
#include <utmpx.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* clang-format off */

WRAP_1(struct passwd *, getpwnam, NAME(a, NULL), const char *)
WRAP_5(int, getpwnam_r,
       OUT(b); OUT_N(c, d); OUT(e); NAME(a, (*e = NULL, 0)), const char *,
       struct passwd *, char *, size_t, struct passwd **)
WRAP_1(struct passwd *, getpwuid, NOTHING, uid_t)
WRAP_5(int, getpwuid_r, OUT(b); OUT_N(c, d); OUT(e), uid_t,
       struct passwd *, char *, size_t, struct passwd **)
WRAP_0(struct passwd *, getpwent, NOTHING)
WRAP_4(int, getpwent_r, OUT(a); OUT_N(b, c); OUT(d), struct passwd *, char *,
       size_t, struct passwd **)
WRAPV_0(setpwent, NOTHING)
WRAPV_0(endpwent, NOTHING)
WRAP_1(struct group *, getgrnam, NAME(a, NULL), const char *)
WRAP_5(int, getgrnam_r,
       OUT(b); OUT_N(c, d); OUT(e); NAME(a, (*e = NULL, 0)), const char *,
       struct group *, char *, size_t, struct group **)
WRAP_1(struct group *, getgrgid, NOTHING, gid_t)
WRAP_5(int, getgrgid_r, OUT(b); OUT_N(c, d); OUT(e), gid_t, struct group *,
       char *, size_t, struct group **)
WRAP_0(struct group *, getgrent, NOTHING)
WRAP_4(int, getgrent_r, OUT(a); OUT_N(b, c); OUT(d), struct group *, char *,
       size_t, struct group **)
WRAPV_0(setgrent, NOTHING)
WRAPV_0(endgrent, NOTHING)
WRAP_4(int, getgrouplist, OUT(d); NAME(a, -1), const char *, gid_t, gid_t *, int *)
WRAP_2(int, initgroups, NAME(a, (errno = EINVAL, -1)), const char *, gid_t)
WRAP_1(struct spwd *, getspnam, NAME(a, NULL), const char *)
WRAP_5(int, getspnam_r,
       OUT(b); OUT_N(c, d); OUT(e); NAME(a, (*e = NULL, 0)), const char *,
       struct spwd *, char *, size_t, struct spwd **)
WRAP_0(struct spwd *, getspent, NOTHING)

WRAP_4(int, getspent_r, OUT(a); OUT_N(b, c); OUT(d), struct spwd *, char *,
       size_t, struct spwd **)
WRAPV_0(setspent, NOTHING)
WRAPV_0(endspent, NOTHING)

WRAP_1(struct passwd *, fgetpwent, STREAM(a), FILE *)
WRAP_5(int, fgetpwent_r, STREAM(a), FILE *, struct passwd *, char *, size_t,
       struct passwd **)
WRAP_2(int, putpwent, STREAM(b), const struct passwd *, FILE *)
WRAP_1(struct group *, fgetgrent, STREAM(a), FILE *)
WRAP_5(int, fgetgrent_r, STREAM(a), FILE *, struct group *, char *, size_t,
       struct group **)
WRAP_2(int, putgrent, STREAM(b), const struct group *, FILE *)
WRAP_1(struct spwd *, fgetspent, STREAM(a), FILE *)
WRAP_5(int, fgetspent_r, STREAM(a), FILE *, struct spwd *, char *, size_t,
       struct spwd **)
WRAP_2(int, putspent, STREAM(b), const struct spwd *, FILE *)

WRAP_1(char *, getpass, TEXT(a), const char *)
WRAP_0(char *, getlogin, NOTHING)
WRAP_2(int, getlogin_r, OUT_N(a, b), char *, size_t)
WRAPV_0(setutent, NOTHING)
WRAP_0(struct utmp *, getutent, NOTHING)
WRAP_1(struct utmp *, getutid, IN(a), const struct utmp *)
WRAP_1(struct utmp *, getutline, IN(a), const struct utmp *)
WRAP_1(struct utmp *, pututline, IN(a), const struct utmp *)
WRAPV_0(endutent, NOTHING)
WRAP_2(int, getutent_r, OUT(a); OUT(b), struct utmp *, struct utmp **)
WRAP_3(int, getutid_r, IN(a); OUT(b); OUT(c), const struct utmp *,
       struct utmp *, struct utmp **)
WRAP_3(int, getutline_r, IN(a); OUT(b); OUT(c), const struct utmp *,
       struct utmp *, struct utmp **)
WRAP_1(struct utmpx *, getutxid, IN(a), const struct utmpx *)
WRAP_1(struct utmpx *, getutxline, IN(a), const struct utmpx *)
WRAPV_0(endutxent, NOTHING)
WRAPV_0(setutxent, NOTHING)
WRAP_0(struct utmpx *, getutxent, NOTHING)
WRAP_1(struct utmpx *, pututxline, IN(a), const struct utmpx *)

/* clang-format on */
