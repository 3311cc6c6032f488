/*
 * target.c: ends the process for a finding.
 *
 * SPDX-License-Identifier: MIT
 */
#include "target.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct sigaction on_abort;
static bool begun;

void target_begin(void)
{
    if (!begun)
        (void)sigaction(SIGABRT, NULL, &on_abort);
    begun = true;
}

void target_fail(const char *format, ...)
{
    char text[512];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    (void)dprintf(STDERR_FILENO, "finding: %.*s\n", length, text);
    (void)sigaction(SIGABRT, &on_abort, NULL);
    abort();
}
