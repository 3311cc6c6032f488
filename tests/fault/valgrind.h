/*
 * valgrind.h: the effects of a crime that Valgrind does not model.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FAULT_VALGRIND_H
#define TESTS_FAULT_VALGRIND_H

#define VALGRIND_LACKS_ALL    1u /* the crime itself: it is skipped */
#define VALGRIND_LACKS_RECORD 2u /* the trap record */
#define VALGRIND_LACKS_FP     4u /* floating-point state across a signal */

/* Returns the sum of these for a crime; 0 outside Valgrind. */
unsigned valgrind_lacks(const char *crime);

#endif
