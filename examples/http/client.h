/*
 * client.h: clients of the server's own, for its test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EXAMPLES_HTTP_CLIENT_H
#define EXAMPLES_HTTP_CLIENT_H

#include <stdbool.h>

/* Ends the program unless it holds. */
void check(bool holds, const char *what);

/* Makes requests of all kinds, and prints the answers. */
void be_clients(int listener);

#endif
