/*
 * guest.h: handlers as guests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_GUEST_H
#define EXAMPLES_HTTP_GUEST_H

#include <stdbool.h>

#include "exchange.h"
#include "routes.h"

struct connection;

/* Before the first guest, and after the last. False: there is no memory. */
bool guests_begin(void);
void guests_end(void);

/* Lets a route's handler answer. One that fails is replaced by a 500 with the
 * number of its report. False: the client is gone. */
bool guest_answer(struct connection *connection, const struct route *route);

/* Ends the guest of a connection that ends; not on a task's stack. */
void guest_drop(struct connection *connection);

#endif
