/*
 * hosts.c: the databases of hosts, services, protocols, networks and
 * netgroups.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

static void *no_host(void)
{
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

/* clang-format off */

WRAP_4(int, getaddrinfo,
       NULL_OR(IN, c); OUT(d); NULL_OR_N(NAME, a, EAI_NONAME);
       NULL_OR_N(NAME, b, EAI_SERVICE), const char *,
       const char *, const struct addrinfo *, struct addrinfo **)
WRAP_7(int, getnameinfo,
       IN_N(a, b); NULL_OR_N(OUT_N, c, d); NULL_OR_N(OUT_N, e, f),
       const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t,
       int)
WRAP_1(struct hostent *, gethostbyname, NAME(a, no_host()), const char *)
WRAP_2(struct hostent *, gethostbyname2, NAME(a, no_host()), const char *, int)
WRAP_6(int, gethostbyname_r,
       OUT(b); OUT_N(c, d); OUT(e); OUT(f);
       NAME(a, (*e = NULL, *f = HOST_NOT_FOUND, 0)),
       const char *, struct hostent *, char *, size_t, struct hostent **, int *)
WRAP_7(int, gethostbyname2_r,
       OUT(c); OUT_N(d, e); OUT(f); OUT(g);
       NAME(a, (*f = NULL, *g = HOST_NOT_FOUND, 0)),
       const char *, int, struct hostent *, char *, size_t, struct hostent **,
       int *)
WRAP_3(struct hostent *, gethostbyaddr, IN_N(a, b), const void *, socklen_t,
       int)
WRAP_8(int, gethostbyaddr_r,
       IN_N(a, b); OUT(d); OUT_N(e, f); OUT(g); OUT(h), const void *,
       socklen_t, int, struct hostent *, char *, size_t, struct hostent **,
       int *)
WRAP_0(struct hostent *, gethostent, NOTHING)
WRAP_2(struct servent *, getservbyname,
       NAME(a, NULL); NULL_OR_N(NAME, b, NULL), const char *,
       const char *)
WRAP_6(int, getservbyname_r,
       OUT(c); OUT_N(d, e); OUT(f); NAME(a, (*f = NULL, 0));
       NULL_OR_N(NAME, b, (*f = NULL, 0)),
       const char *, const char *, struct servent *, char *, size_t,
       struct servent **)
WRAP_2(struct servent *, getservbyport, NULL_OR_N(NAME, b, NULL), int, const char *)
WRAP_6(int, getservbyport_r,
       OUT(c); OUT_N(d, e); OUT(f); NULL_OR_N(NAME, b, (*f = NULL, 0)), int,
       const char *, struct servent *, char *, size_t, struct servent **)
WRAP_0(struct servent *, getservent, NOTHING)
WRAP_1(struct protoent *, getprotobyname, NAME(a, NULL), const char *)
WRAP_5(int, getprotobyname_r,
       OUT(b); OUT_N(c, d); OUT(e); NAME(a, (*e = NULL, 0)),
       const char *, struct protoent *, char *, size_t, struct protoent **)
WRAP_1(struct protoent *, getprotobynumber, NOTHING, int)
WRAP_5(int, getprotobynumber_r, OUT(b); OUT_N(c, d); OUT(e), int,
       struct protoent *, char *, size_t, struct protoent **)
WRAP_0(struct protoent *, getprotoent, NOTHING)
WRAP_1(struct netent *, getnetbyname, NAME(a, NULL), const char *)
WRAP_6(int, getnetbyname_r,
       OUT(b); OUT_N(c, d); OUT(e); OUT(f);
       NAME(a, (*e = NULL, *f = HOST_NOT_FOUND, 0)),
       const char *, struct netent *, char *, size_t, struct netent **, int *)
WRAP_2(struct netent *, getnetbyaddr, NOTHING, uint32_t, int)
WRAP_7(int, getnetbyaddr_r, OUT(c); OUT_N(d, e); OUT(f); OUT(g), uint32_t, int,
       struct netent *, char *, size_t, struct netent **, int *)
WRAP_0(struct netent *, getnetent, NOTHING)
WRAP_5(int, gethostent_r, OUT(a); OUT_N(b, c); OUT(d); OUT(e),
       struct hostent *, char *, size_t, struct hostent **, int *)
WRAP_4(int, getservent_r, OUT(a); OUT_N(b, c); OUT(d), struct servent *, char *,
       size_t, struct servent **)
WRAP_4(int, getprotoent_r, OUT(a); OUT_N(b, c); OUT(d), struct protoent *,
       char *, size_t, struct protoent **)
WRAP_5(int, getnetent_r, OUT(a); OUT_N(b, c); OUT(d); OUT(e), struct netent *,
       char *, size_t, struct netent **, int *)
WRAPV_1(sethostent, NOTHING, int)
WRAPV_0(endhostent, NOTHING)
WRAPV_1(setservent, NOTHING, int)
WRAPV_0(endservent, NOTHING)
WRAPV_1(setprotoent, NOTHING, int)
WRAPV_0(endprotoent, NOTHING)
WRAPV_1(setnetent, NOTHING, int)
WRAPV_0(endnetent, NOTHING)
WRAP_0(long, gethostid, NOTHING)
WRAP_1(int, setnetgrent, NAME(a, 0), const char *)
WRAPV_0(endnetgrent, NOTHING)
WRAP_3(int, getnetgrent, OUT(a); OUT(b); OUT(c), char **, char **, char **)
WRAP_5(int, getnetgrent_r, OUT(a); OUT(b); OUT(c); OUT_N(d, e), char **,
       char **, char **, char *, size_t)
WRAP_4(int, innetgr,
       NAME(a, 0); NULL_OR_N(NAME, b, 0); NULL_OR_N(NAME, c, 0);
       NULL_OR_N(NAME, d, 0), const char *,
       const char *, const char *, const char *)

/* clang-format on */
