/*
 * service.h: what guests ask of the host.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_SERVICE_H
#define DITCH_SERVICE_H

/* Runs fn(arg) on the host's own stack, however deep the coroutines are nested:
 * code with locks, or that needs much stack, is at home there. */
void *service_call(void *(*fn)(void *), void *arg);

#endif
