/*
 * poison.h: coroutines that trapped while they may have held a lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_TRACE_POISON_H
#define MOAT_TRACE_POISON_H

#include <moat/co.h>

/* Searches the stack of a trapped coroutine unless that has been done. */
void moat_poison_look(const moat_co *handle);

#endif
