/*
 * progress.h: what a worker reports to its supervisor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_PROGRESS_H
#define CORPUS_PROGRESS_H

#include "job.h"

void progress_open(struct job *job);

/* Names the step that begins, so that a hang can be named. */
void progress_step(const char *name);

/* Ends the worker. */
_Noreturn void progress_end(enum outcome outcome);

/* Ends the worker, and the case: "WHYWHAT" is the reason. */
_Noreturn void progress_give_up(const char *why, const char *what);

#endif
