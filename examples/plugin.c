/*
 * plugin.c: a plugin that knows nothing of moat, and has bugs.
 *
 * Its one function has the form of moat_entry: two pointers in, one out.
 * plugin_host.c and ctypes/host.py load it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int *volatile missing; /* NULL: not found. */
static char *volatile last;

static void *answer(const char *format, size_t number)
{
    static char text[64];

    (void)snprintf(text, sizeof text, format, number);
    return text;
}

static void allocate_for_ever(void)
{
    for (;;) {
        last = malloc(100000);
        *last = 1; /* Never looks whether it got one. */
    }
}

void *plugin_run(void *context, void *input);

void *plugin_run(void *context, void *input)
{
    const char *command = input;

    (void)context;
    if (strcmp(command, "crash") == 0)
        *missing = 1;
    if (strcmp(command, "exit") == 0)
        exit(3);
    if (strcmp(command, "abort") == 0)
        abort();
    if (strcmp(command, "leak") == 0)
        allocate_for_ever();
    if (strcmp(command, "hang") == 0)
        for (;;)
            (void)*(volatile const char *)command;
    return answer("%zu letters", strlen(command));
}
