/*
 * attach.h: threads attached on demand.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_ENGINE_ATTACH_H
#define MOAT_ENGINE_ATTACH_H

#include <moat/status.h>

/* Initialises the engine and attaches this thread, if either is needed. */
moat_status moat_thread_ready(void);

#endif
