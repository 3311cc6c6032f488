/*
 * footprint.c: the process's resources, and whether they grow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptors.h"
#include "job.h"

/* Returns the bytes in a line of smaps_rollup; 0 if there is no such line. */
static size_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line != NULL ? strtoul(line + strlen(name), NULL, 10) * 1024 : 0;
}

/* Does not use statm: the kernel sums its figures up from per-CPU counters, and
 * they are off by some dozens of pages. */
void footprint_measure(struct footprint *out)
{
    bool open_now[DESCRIPTORS_MAX] = {false};
    char text[2048] = {0};
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    if (length < 0)
        text[0] = '\0';
    out->resident = field(text, "\nRss:");
    out->anonymous = field(text, "\nAnonymous:");
    out->descriptors = descriptors_list(open_now);
}

/* The limits of growth, as parts of the resident memory after the warm-up. In a
 * short run, memory touched for the first time weighs more. */
#define MAX_GROWTH       0.01
#define MAX_GROWTH_SHORT 0.02
#define SHORT_TIMES      100u
#define MIN_TIMES        20u

/* With fewer repetitions, growth means nothing: pages are still touched for the
 * first time. */
static bool tells_growth(const struct job *job)
{
    return job->repetitions >= MIN_TIMES && job->warm.resident != 0 &&
           job->end.resident != 0;
}

bool growth_was_measured(const struct job *job)
{
    return job->repetitions < MIN_TIMES || tells_growth(job);
}

double growth_of(const struct job *job)
{
    if (!tells_growth(job))
        return 0;
    return ((double)job->end.anonymous - (double)job->warm.anonymous) /
           (double)job->warm.resident;
}

bool growth_is_too_much(const struct job *job)
{
    return growth_of(job) >=
           (job->repetitions < SHORT_TIMES ? MAX_GROWTH_SHORT : MAX_GROWTH);
}

/* ---- When it is measured ----------------------------------------------------
 */

/* Repetitions are done again at most so many times. */
#define MAX_TURNS 3u

/* New phases and new paths touch pages for the first time; with few
 * repetitions, this takes a large part of them. */
static unsigned warm_up(const struct job *job)
{
    unsigned tenth = job->repetitions / 10, half = job->repetitions / 2;
    unsigned least = job->phases > 100 ? job->phases : 100;

    if (tenth > least)
        return tenth;
    return least < half ? least : half;
}

struct footprint *footprint_due(struct job *job)
{
    if (job->done == warm_up(job))
        return &job->warm;
    return job->done == job->repetitions ? &job->end : NULL;
}

/*
 * A path that is taken for the first time after the warm-up touches new pages;
 * a leak grows each time. So if memory has grown too much, the repetitions are
 * done again, and measured from here. The figures of a worker that replaced
 * another one are not comparable.
 */
void footprint_turn(struct job *job)
{
    if (job->done != job->repetitions || job->workers != 0 ||
        job->turns >= MAX_TURNS || !growth_is_too_much(job))
        return;
    job->turns++;
    job->warm = job->end;
    job->repetitions += job->repetitions / job->turns;
}
