/*
 * descriptors.h: which descriptors are open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_DESCRIPTORS_H
#define CORPUS_DESCRIPTORS_H

#include <stdbool.h>

#define DESCRIPTORS_MAX 1024

/* Sets `open_now[fd]` for each open descriptor and returns their number, or -1
 * if they cannot be listed. */
int descriptors_list(bool open_now[DESCRIPTORS_MAX]);

#endif
