/*
 * call_pth.c: GNU Pth, by its user-space contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_pth.h"

#include "bench/call_cases.h"

const struct call_engine call_pth = {"GNU Pth", run_lives, run_new_lives, 0.02,
                                     0};
