/*
 * resolver.c: questions to name servers. Their settings, which the first one
 * reads, stay for the process and the thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <resolv.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* clang-format off */

WRAP_0(int, __res_init, NOTHING)
WRAP_1(int, __res_ninit, OUT(a), res_state)
WRAPV_1(__res_nclose, OUT(a), res_state)
WRAP_5(int, res_query, TEXT(a); OUT_N(d, (size_t)e), const char *, int, int,
       unsigned char *, int)
WRAP_5(int, res_search, TEXT(a); OUT_N(d, (size_t)e), const char *, int, int,
       unsigned char *, int)
WRAP_6(int, res_querydomain, TEXT(a); NULL_OR(TEXT, b); OUT_N(e, (size_t)f),
       const char *, const char *, int, int, unsigned char *, int)
WRAP_4(int, res_send, IN_N(a, (size_t)b); OUT_N(c, (size_t)d),
       const unsigned char *, int, unsigned char *, int)
WRAP_6(int, res_nquery, TEXT(b); OUT_N(e, (size_t)f), res_state, const char *,
       int, int, unsigned char *, int)
WRAP_6(int, res_nsearch, TEXT(b); OUT_N(e, (size_t)f), res_state, const char *,
       int, int, unsigned char *, int)
WRAP_7(int, res_nquerydomain, TEXT(b); NULL_OR(TEXT, c); OUT_N(f, (size_t)g), res_state,
       const char *, const char *, int, int, unsigned char *, int)
WRAP_5(int, res_nsend, IN_N(b, (size_t)c); OUT_N(d, (size_t)e), res_state,
       const unsigned char *, int, unsigned char *, int)

/* clang-format on */
