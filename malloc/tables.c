/*
 * tables.c: functions that read files of the system by streams of their own:
 * mounts, the stack of the first thread; and options of the command line, whose
 * errors go to a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <mntent.h>
#include <pthread.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* clang-format off */

WRAP_2(FILE *, setmntent, NULL_OR(TEXT, a); TEXT(b), const char *, const char *)
WRAP_1(struct mntent *, getmntent, STREAM(a), FILE *)
WRAP_4(struct mntent *, getmntent_r, STREAM(a), FILE *, struct mntent *, char *,
       int)
WRAP_2(int, addmntent, STREAM(a), FILE *, const struct mntent *)
WRAP_1(int, endmntent, CLOSES(a), FILE *)

WRAP_2(int, pthread_getattr_np, OUT(b), pthread_t, pthread_attr_t *)

WRAP_3(int, getopt, STREAM(stderr), int, char *const *, const char *)
WRAP_5(int, getopt_long, STREAM(stderr), int, char *const *, const char *,
       const struct option *, int *)
WRAP_5(int, getopt_long_only, STREAM(stderr), int, char *const *, const char *,
       const struct option *, int *)

/* clang-format on */
