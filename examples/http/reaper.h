/*
 * reaper.h: ends connections whose client takes too long.
 *
 * A deadline for each read would be a timer that is set and removed with every
 * request. Instead a task looks at all connections ten times a second. It ends
 * the read of one whose time is up by shutting down the socket's receiving
 * side: the read finds the end of the stream, and `is_over` is the reason.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_REAPER_H
#define EXAMPLES_HTTP_REAPER_H

#include "server.h"

/* A task's function. */
void *reap(void *server);

/* The server ends: idle clients are not waited for. */
void reap_idle(struct server *server);

#endif
