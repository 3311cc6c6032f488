/*
 * machine.h: probes of what the machine can do. Each runs in a forked child,
 * with default dispositions and without moat.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_MACHINE_H
#define TESTS_SUPPORT_MACHINE_H

#include <stdint.h>

/* Linux's segment selectors on x86-64. */
#define MACHINE_CODE_32_BIT 0x23u
#define MACHINE_DATA        0x2bu
#define MACHINE_CODE_64_BIT 0x33u

/* Returns the signal that ends a child that calls `body`; 0 if `body` returns.
 */
int machine_signal_of(void (*body)(uintptr_t arg), uintptr_t arg);

/* The same for a far jump to an ud2: SIGILL if `selector` is a code segment. */
int machine_signal_of_far_jump(unsigned selector);

/* Returns why no 32-bit code runs here, or NULL if it does. The first call
 * forks, and the answer is kept. With MOAT_TEST_LACKS=32-bit in the environment
 * the answer is always that none runs. */
const char *machine_lacks_32_bit_code(void);

#endif
