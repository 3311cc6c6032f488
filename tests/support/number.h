/*
 * number.h: numbers on a test's command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_NUMBER_H
#define TESTS_SUPPORT_NUMBER_H

/* Parses a whole number from 1 to `most`; returns 0 if it is not one. */
unsigned long number_from(const char *text, unsigned long most);

#endif
