/*
 * service.h: calls from guests that run on the host's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DITCH_SERVICE_H
#define DITCH_SERVICE_H

/* Runs fn(arg) on the host's own stack, however deep the coroutines are nested.
 * Use it for code that takes locks or needs much stack. */
void *service_call(void *(*fn)(void *), void *arg);

#endif
