/*
 * table.h: what came of the cases, a line each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_TABLE_H
#define CORPUS_TABLE_H

#include <stdbool.h>

#include "job.h"

void table_head(void);

/* True: the case holds. */
bool table_add(const struct job *job);

/* The last lines. */
void table_sum(void);

#endif
