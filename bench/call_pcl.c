/*
 * call_pcl.c: the Portable Coroutine Library.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/task_pcl.h"

#include "bench/call_cases.h"

const struct call_engine call_pcl = {"PCL", run_lives, run_new_lives, 0.02, 0};
