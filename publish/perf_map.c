/*
 * perf_map.c: a line for each code in /tmp/perf-PID.map, if the environment's
 * MOAT_PERF_MAP is 1.
 *
 * The file is an aid: what cannot be written is left out. Lines are only added;
 * perf takes the last one for an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "publish/perf_map.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish/perf_file.h"

static bool is_ours_alone(int file)
{
    struct stat found;

    return fstat(file, &found) == 0 && S_ISREG(found.st_mode) &&
           found.st_uid == geteuid() && found.st_nlink == 1;
}

/* Any user may have put something there: what is not a file of this user's is
 * left alone, and a pipe is not waited for. */
static int open_map(const char *value, pid_t process)
{
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
                      O_NOCTTY | O_CLOEXEC;
    char path[64];
    int file;

    if (strcmp(value, "1") != 0)
        return -1;
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)process);
    file = open(path, flags, 0600);
    if (file >= 0 && !is_ours_alone(file)) {
        (void)close(file);
        return -1;
    }
    return file;
}

static struct moat_perf_file map = {.variable = "MOAT_PERF_MAP",
                                    .open = open_map};

/* A single write, so that lines of others stay whole. */
static void write_line(int file, const moat_code *code)
{
    char line[512];
    int used = snprintf(line, sizeof line - 1, "%lx %lx %s",
                        (unsigned long)(uintptr_t)code->start,
                        (unsigned long)code->size, code->name);
    size_t bytes = used < (int)sizeof line - 1 ? (size_t)used : sizeof line - 2;

    for (size_t i = 0; i < bytes; i++) {
        if (iscntrl((unsigned char)line[i]))
            line[i] = '?';
    }
    line[bytes] = '\n';
    (void)!write(file, line, bytes + 1);
}

void moat_perf_map_add(const moat_code *code)
{
    int file = code->name != NULL ? moat_perf_file(&map) : -1;

    if (file >= 0)
        write_line(file, code);
}
