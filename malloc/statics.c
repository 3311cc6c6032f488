/*
 * statics.c: functions that keep memory for the process, or for the thread, and
 * take no lock for it: it must not be a guest's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <aliases.h>
#include <fstab.h>
#include <gshadow.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <pthread.h>
#include <rpc/netdb.h>
#include <search.h>
#include <shadow.h>
#include <stdio.h>
#include <threads.h>
#include <ttyent.h>
#include <unistd.h>
#include <utmp.h>
#include <utmpx.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Declared by no header: a C++ compiler calls it for an object of a thread. */
int __cxa_thread_atexit_impl(void (*fn)(void *), void *arg, void *module);

typedef void exit_function(void *arg);

/* clang-format off */

/* The thread's table of values, and its list of objects to destroy. */
WRAP_2(int, pthread_setspecific, NOTHING, pthread_key_t, const void *)
WRAP_2(int, tss_set, NOTHING, tss_t, void *)
WRAP_3(int, __cxa_thread_atexit_impl, NOTHING, exit_function *, void *, void *)

WRAP_1(int, hcreate, NOTHING, size_t)
WRAPV_0(hdestroy, NOTHING)
WRAP_1(char *, ttyname, NOTHING, int)
WRAP_1(int, utmpname, TEXT(a), const char *)
WRAP_1(int, utmpxname, TEXT(a), const char *)

WRAP_0(char *, getusershell, NOTHING)
WRAPV_0(setusershell, NOTHING)
WRAPV_0(endusershell, NOTHING)
WRAP_0(struct fstab *, getfsent, NOTHING)
WRAP_1(struct fstab *, getfsspec, TEXT(a), const char *)
WRAP_1(struct fstab *, getfsfile, TEXT(a), const char *)
WRAP_0(int, setfsent, NOTHING)
WRAPV_0(endfsent, NOTHING)
WRAP_0(struct ttyent *, getttyent, NOTHING)
WRAP_1(struct ttyent *, getttynam, TEXT(a), const char *)
WRAP_0(int, setttyent, NOTHING)
WRAP_0(int, endttyent, NOTHING)

WRAP_1(struct rpcent *, getrpcbyname, TEXT(a), const char *)
WRAP_5(int, getrpcbyname_r, TEXT(a); OUT(b); OUT_N(c, d); OUT(e), const char *,
       struct rpcent *, char *, size_t, struct rpcent **)
WRAP_1(struct rpcent *, getrpcbynumber, NOTHING, int)
WRAP_5(int, getrpcbynumber_r, OUT(b); OUT_N(c, d); OUT(e), int, struct rpcent *,
       char *, size_t, struct rpcent **)
WRAP_0(struct rpcent *, getrpcent, NOTHING)
WRAP_4(int, getrpcent_r, OUT(a); OUT_N(b, c); OUT(d), struct rpcent *, char *,
       size_t, struct rpcent **)
WRAPV_1(setrpcent, NOTHING, int)
WRAPV_0(endrpcent, NOTHING)

WRAP_1(struct aliasent *, getaliasbyname, TEXT(a), const char *)
WRAP_5(int, getaliasbyname_r, TEXT(a); OUT(b); OUT_N(c, d); OUT(e),
       const char *, struct aliasent *, char *, size_t, struct aliasent **)
WRAP_0(struct aliasent *, getaliasent, NOTHING)
WRAP_4(int, getaliasent_r, OUT(a); OUT_N(b, c); OUT(d), struct aliasent *,
       char *, size_t, struct aliasent **)
WRAPV_0(setaliasent, NOTHING)
WRAPV_0(endaliasent, NOTHING)

WRAP_1(struct sgrp *, getsgnam, TEXT(a), const char *)
WRAP_5(int, getsgnam_r, TEXT(a); OUT(b); OUT_N(c, d); OUT(e), const char *,
       struct sgrp *, char *, size_t, struct sgrp **)
WRAP_0(struct sgrp *, getsgent, NOTHING)
WRAP_4(int, getsgent_r, OUT(a); OUT_N(b, c); OUT(d), struct sgrp *, char *,
       size_t, struct sgrp **)
WRAP_1(struct sgrp *, sgetsgent, TEXT(a), const char *)
WRAP_1(struct sgrp *, fgetsgent, STREAM(a), FILE *)
WRAPV_0(setsgent, NOTHING)
WRAPV_0(endsgent, NOTHING)
WRAP_1(struct spwd *, sgetspent, TEXT(a), const char *)

WRAP_2(int, ether_ntohost, OUT_N(a, 1); IN(b), char *,
       const struct ether_addr *)
WRAP_2(int, ether_hostton, TEXT(a); OUT(b), const char *, struct ether_addr *)

/* clang-format on */
