/*
 * table.h: the results of the cases, a line each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_TABLE_H
#define CORPUS_TABLE_H

#include <stdbool.h>

#include "job.h"

void table_head(void);

/* Returns whether the case holds. */
bool table_add(const struct job *job);

/* Prints the last lines. */
void table_sum(void);

#endif
