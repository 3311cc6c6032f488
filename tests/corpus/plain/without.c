/*
 * without.c: a host that injects nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "injection.h"

void injection_open(struct job *job, bool (*run)(void))
{
    (void)job;
    (void)run;
}

void injection_arm(const struct job *job)
{
    (void)job;
}

enum verdict injection_expected(const struct job *job)
{
    return job->expected;
}
