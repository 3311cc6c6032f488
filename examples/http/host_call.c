/*
 * host_call.c: calls of functions that a guest's stack is not for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "host_call.h"

void *host_call(void *(*fn)(void *arg), void *arg)
{
    moat_co *self = moat_co_current();

    return self == NULL ? fn(arg) : moat_call_on_parent(self, fn, arg);
}
