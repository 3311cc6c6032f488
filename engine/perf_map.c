/*
 * perf_map.c: registered code as the profiler perf looks for it: a line per
 * range in /tmp/perf-PID.map, if the environment's MOAT_PERF_MAP is 1.
 *
 * The file is an aid: what cannot be written is left out. Lines are only added;
 * perf takes the last for an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/internal.h"

/* Under the lock of code.c. */
static struct {
    int file;
    pid_t writer; /* whose file it is; 0: none was opened yet */
} map = {.file = -1};

/* Asked for once, at the first registration. */
static atomic_int wanted; /* 0: not asked yet; 1: yes; -1: no */

static bool is_wanted(void)
{
    const char *asked;

    if (atomic_load(&wanted) == 0) {
        asked = secure_getenv("MOAT_PERF_MAP");
        atomic_store(&wanted,
                     asked != NULL && strcmp(asked, "1") == 0 ? 1 : -1);
    }
    return atomic_load(&wanted) > 0;
}

static bool is_ours_alone(int file)
{
    struct stat found;

    return fstat(file, &found) == 0 && S_ISREG(found.st_mode) &&
           found.st_uid == geteuid() && found.st_nlink == 1;
}

/* Anybody may have put something in its place: what is not a file of this
 * user's is left alone. A pipe is not waited for. -1: there is none. */
static int open_own(const char *path)
{
    int file = open(path,
                    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK |
                        O_NOCTTY | O_CLOEXEC,
                    0600);

    if (file >= 0 && !is_ours_alone(file)) {
        (void)close(file);
        return -1;
    }
    return file;
}

/* A forked child has a file of its own. */
static void open_map(void)
{
    char path[64];

    if (map.writer == getpid())
        return;
    if (map.file >= 0)
        (void)close(map.file);
    map.writer = getpid();
    (void)snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)map.writer);
    map.file = open_own(path);
}

/* One write, so that lines of others stay whole. */
static void write_line(const moat_code *code)
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
    (void)!write(map.file, line, bytes + 1);
}

void moat_perf_map_add(const moat_code *code)
{
    if (code->name == NULL || !is_wanted())
        return;
    open_map();
    if (map.file >= 0)
        write_line(code);
}
