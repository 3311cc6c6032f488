/*
 * quit.h: a signal that asks for a dump, such as SIGQUIT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SCHED_QUIT_H
#define SCHED_QUIT_H

#include <stdbool.h>

#include "sched/run.h"

struct quit;

/* 0, or a signal that may ask. */
bool moat_quit_may_be(int signal);
/* Dumps the run when the signal comes. MOAT_E_FULL: too many runs do. */
moat_status moat_quit_open(struct quit **out, struct sched *run, int signal);
/* Restores the signal's disposition. NULL: nothing. */
void moat_quit_close(struct quit *quit);

#endif
