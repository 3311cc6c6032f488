/*
 * call_threads.c: a thread for each life, on the stacks that glibc keeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_threads.h"

#include "bench/call_cases.h"

const struct call_engine call_threads = {"threads", run_lives, NULL, 0.005, 1};
