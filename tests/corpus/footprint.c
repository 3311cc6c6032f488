/*
 * footprint.c: asks /proc what this process has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "residue.h"

/* Not statm's figure, which the kernel sums up from counters per CPU and which
 * is off by some dozens of pages. */
static size_t resident(void)
{
    char text[256] = {0};
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    const char *line = length > 0 ? strstr(text, "Rss:") : NULL;

    if (fd >= 0)
        (void)close(fd);
    return line != NULL ? strtoul(line + 4, NULL, 10) * 1024 : 0;
}

void footprint_measure(struct footprint *out)
{
    out->resident = resident();
    out->descriptors = residue_descriptors();
}
