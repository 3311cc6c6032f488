/*
 * host_call.h: calls of functions that a guest's stack is not for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_HOST_CALL_H
#define EXAMPLES_HTTP_HOST_CALL_H

/* Calls a function that uses malloc, or that must not be stopped halfway: in a
 * coroutine on the stack of its host, else at once. It must keep its result
 * itself: a guest whose time is over ends before it gets that. */
void *host_call(void *(*fn)(void *arg), void *arg);

#endif
