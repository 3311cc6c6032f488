/*
 * judge.h: the verdict on a repetition.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CORPUS_JUDGE_H
#define CORPUS_JUDGE_H

#include <moat/moat.h>

#include "job.h"

/* Returns the verdict of the guest's last event. */
enum verdict judge_event(const moat_co *guest, const moat_event *event);

/* Counts a verdict in the job. `right`: it is the expected one. */
void judge_note(struct job *job, const moat_co *guest, enum verdict verdict,
                bool right);

#endif
