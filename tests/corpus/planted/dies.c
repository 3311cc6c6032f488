/*
 * dies.c: a case that kills the host.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <unistd.h>

#include "hcase.h"

const char *hcase_name = "dies";

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return kill(getpid(), SIGKILL);
}
