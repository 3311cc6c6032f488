/*
 * fork.h: the library's locks across a fork.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_FORK_H
#define MOAT_ENGINE_FORK_H

#include <moat/status.h>

/* Registers the handlers with pthread_atfork, once. It must be done before the
 * engine's lock is first taken, or a fork would not wait for that lock. */
moat_status moat_fork_handle(void);

#endif
