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

/* Bytes in a line of smaps_rollup; 0: there is none. */
static size_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line != NULL ? strtoul(line + strlen(name), NULL, 10) * 1024 : 0;
}

/* Not from statm, whose figures the kernel sums up from counters per CPU and
 * which are off by some dozens of pages. */
void footprint_measure(struct footprint *out)
{
    char text[2048] = {0};
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    if (length < 0)
        text[0] = '\0';
    out->resident = field(text, "\nRss:");
    out->anonymous = field(text, "\nAnonymous:");
    out->descriptors = residue_descriptors();
}
