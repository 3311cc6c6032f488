/*
 * routes.h: which handler answers a request.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_ROUTES_H
#define EXAMPLES_HTTP_ROUTES_H

#include <stdbool.h>

#include "exchange.h"

typedef void (*route_handler)(struct exchange *exchange);

struct route {
    const char *path;
    route_handler handler;
    bool has_heap;
    unsigned methods;  /* bits of ROUTE_... */
    const char *allow; /* the same, as a line of a reply's head */
};

/* The route of a request. NULL: there is none, and the reply is a 404 or a 405.
 */
const struct route *route_of(struct exchange *exchange);

#endif
