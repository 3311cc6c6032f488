/*
 * jobs.h: the guest of the tutorial, a library with bugs. It knows nothing of
 * moat.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef JOBS_H
#define JOBS_H

/*
 * Runs a line such as "sum 3 4 5":
 *
 *   sum N...       the sum of the numbers
 *   mean N...      their mean
 *   port TEXT      the number after the colon
 *   fibonacci N    the Nth Fibonacci number
 *   power B E      B to the power of E
 *
 * Returns the result; 0 for another word.
 */
long run_job(const char *line);

#endif
