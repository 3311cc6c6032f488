/*
 * valgrind.h: what Valgrind does not model of a crime.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_VALGRIND_H
#define TESTS_FAULT_VALGRIND_H

#define VALGRIND_LACKS_ALL    1u /* the crime itself: it is not committed     */
#define VALGRIND_LACKS_RECORD 2u /* what the trap record says of it */
#define VALGRIND_LACKS_FP     4u /* floating-point state across a signal      */

/* The sum of these for a crime; 0 outside Valgrind. */
unsigned valgrind_lacks(const char *crime);

#endif
