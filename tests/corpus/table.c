/*
 * table.c: judges finished jobs and prints them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct {
    unsigned cases, held, locks, workers;
    unsigned long repetitions;
    double worst_growth;
    char worst_case[64];
} sums;

/* clang-format off */
static const struct {
    const char *text;
    enum verdict verdict;
} classes[] = {
#define VERDICT_TEXT(name, bit, text) {text, name},
    VERDICT_MAP(VERDICT_TEXT)
#undef VERDICT_TEXT
    /* Synonyms. */
    {"overflow",   VERDICT_OVERFLOW},
    {"wild",       VERDICT_WILD},
    {"null",       VERDICT_WILD},
    {"arithmetic", VERDICT_ARITHMETIC},
    {"illegal",    VERDICT_ILLEGAL},
};
/* clang-format on */

const char *verdict_text(enum verdict verdict)
{
    return verdict < VERDICTS ? classes[verdict].text : "any";
}

enum verdict verdict_of_class(const char *class_name)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strcasecmp(classes[i].text, class_name) == 0)
            return classes[i].verdict;
    }
    return VERDICTS;
}

/* Returns the last component of the path, without ".so". */
static void name_of(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    char *dot;

    (void)snprintf(name, size, "%.*s", (int)size - 1,
                   slash != NULL ? slash + 1 : path);
    dot = strrchr(name, '.');
    if (dot != NULL && strcmp(dot, ".so") == 0)
        *dot = '\0';
}

/* Formats "abort" or, if there are several verdicts, "abort 990, returned
 * 10". */
static void verdicts_of(const struct job *job, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < VERDICTS && length < size; i++) {
        if (job->tally[i] == 0)
            continue;
        if (job->tally[i] == job->done) {
            (void)snprintf(text, size, "%s", verdict_text((enum verdict)i));
            return;
        }
        length += (size_t)snprintf(
            text + length, size - length, "%s%s %u", length > 0 ? ", " : "",
            verdict_text((enum verdict)i), job->tally[i]);
    }
    if (job->done == 0)
        (void)snprintf(text, size, "none");
}

/* Returns the reason why the case fails, or NULL if it holds. */
static const char *why_not(const struct job *job)
{
    if (job->trouble[0] != '\0')
        return job->trouble;
    if (job->wrong > 0 || job_is_lost(job))
        return "wrong verdict";
    if (job->done < job->repetitions)
        return "repetitions are missing";
    if (!growth_was_measured(job))
        return "memory was not measured";
    if (growth_is_too_much(job))
        return "memory grows";
    if (job->end.descriptors > job->warm.descriptors)
        return "descriptors stay open";
    return NULL;
}

void table_head(void)
{
    (void)printf("%-22s %-15s %-15s %6s %6s %7s %7s  %s\n", "case", "class",
                 "verdict", "times", "limit", "workers", "growth", "result");
}

static void add_to_sums(const struct job *job, const char *name, bool holds)
{
    sums.cases++;
    sums.held += holds;
    sums.locks += job->held_locks > 0;
    sums.workers += job->workers;
    sums.repetitions += job->done;
    if (growth_of(job) > sums.worst_growth) {
        sums.worst_growth = growth_of(job);
        (void)snprintf(sums.worst_case, sizeof(sums.worst_case), " (%.60s)",
                       name);
    }
}

bool table_add(const struct job *job)
{
    const char *trouble = why_not(job);
    char name[256], verdicts[256];

    name_of(job->path, name, sizeof(name));
    verdicts_of(job, verdicts, sizeof(verdicts));
    (void)printf("%-22s %-15s %-15s %6u %6u %7u %6.2f%%  %s", name,
                 verdict_text(job->expected), verdicts, job->done,
                 job->limit_ms, job->workers, 100 * growth_of(job),
                 trouble == NULL ? "holds" : "FAILS: ");
    if (trouble != NULL)
        (void)printf("%s", trouble);
    if (job->replaced_for[0] != '\0')
        (void)printf(" (replaced for %s)", job->replaced_for);
    if (job->lock[0] != '\0')
        (void)printf(" (left its lock held: %s)", job->lock);
    (void)printf("\n");
    (void)fflush(stdout);
    add_to_sums(job, name, trouble == NULL);
    return trouble == NULL;
}

void table_sum(void)
{
    (void)printf("%u cases, %u hold, %u fail; %lu repetitions, %u workers; %u "
                 "left a lock held; worst growth %.2f%%%s; host alive\n",
                 sums.cases, sums.held, sums.cases - sums.held,
                 sums.repetitions, sums.workers, sums.locks,
                 100 * sums.worst_growth, sums.worst_case);
}
