/*
 * no_port.h: cases that do not hold where moat has no port to the CPU.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_NO_PORT_H
#define TESTS_SUPPORT_NO_PORT_H

/* Returns why the case of that name does not hold in this build; NULL: it does.
 */
const char *no_port_reason(const char *name);

#endif
