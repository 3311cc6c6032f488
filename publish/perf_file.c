/*
 * perf_file.c: opens a file once in each process: a forked child has its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/perf_file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sys/copy.h"
#include "sys/environment.h"

static void look(struct moat_perf_file *file)
{
    const char *value = moat_environment_get(file->variable);

    /* A path that is too long cannot be opened. */
    if (value != NULL && strlen(value) < sizeof file->value)
        moat_copy_text(file->value, sizeof file->value, value);
    file->looked = true;
}

/* Moves a descriptor that took the number of a standard stream: the host has
 * closed it, and may still write to it. */
static int above_streams(int descriptor)
{
    int moved;

    if (descriptor < 0 || descriptor > STDERR_FILENO)
        return descriptor;
    moved = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)close(descriptor);
    return moved;
}

int moat_perf_file(struct moat_perf_file *file)
{
    pid_t process;

    if (!file->looked)
        look(file);
    if (file->value[0] == '\0')
        return -1;
    process = getpid();
    if (file->process != process) {
        if (file->process != 0 && file->descriptor >= 0)
            (void)close(file->descriptor);
        file->process = process;
        file->descriptor = above_streams(file->open(file->value, process));
    }
    return file->descriptor;
}
