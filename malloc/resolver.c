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

WRAP_9(int, res_mkquery,
       TEXT(b); NULL_OR_N(IN_N, e, (size_t)f); OUT_N(h, (size_t)i), int,
       const char *, int, int, const unsigned char *, int,
       const unsigned char *, unsigned char *, int)
WRAP_10(int, res_nmkquery,
        TEXT(c); NULL_OR_N(IN_N, f, (size_t)g); OUT_N(i, (size_t)j), res_state,
        int, const char *, int, int, const unsigned char *, int,
        const unsigned char *, unsigned char *, int)

/* Programs that were linked before glibc 2.34 have these names of the same
 * functions, as the headers then had macros for them. */
#define ALSO(name)                                                            \
    extern __typeof__(name) moat_old_##name __asm__("__" #name)               \
        __attribute__((alias(#name), visibility("default"), nothrow __LEAF));
ALSO(res_query)
ALSO(res_search)
ALSO(res_querydomain)
ALSO(res_send)
ALSO(res_nquery)
ALSO(res_nsearch)
ALSO(res_nquerydomain)
ALSO(res_nsend)
ALSO(res_mkquery)
ALSO(res_nmkquery)

/* clang-format on */
