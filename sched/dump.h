/*
 * dump.h: what every task of a run does.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_DUMP_H
#define SCHED_DUMP_H

#include <stdbool.h>

#include "sched/run.h"

moat_status moat_dump_write(struct worker *worker, int fd, bool json);

#endif
