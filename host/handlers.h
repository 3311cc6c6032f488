/*
 * handlers.h: the command's own signal handlers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HOST_HANDLERS_H
#define MOAT_HOST_HANDLERS_H

#include <stdbool.h>

/* For the signals of a fault. False, with errno: the system refuses. */
bool handlers_install(void);

#endif
