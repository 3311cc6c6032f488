/*
 * bench.h: how the benchmarks measure and report.
 *
 * Time is the thread's CPU time, so that other programs on the machine cost
 * nothing but their noise in the caches. The variants of a case run one after
 * the other in each round, so that a slow phase of the machine hits all alike;
 * what is reported is the minimum and the median over the rounds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_MAX_ROUNDS 101

#ifdef __cplusplus
extern "C" {
#endif

/* The samples of one variant in one case, in nanoseconds per operation. */
struct bench_series {
    const char *name; /* of the variant */
    double samples[BENCH_MAX_ROUNDS];
    size_t count;
};

/* What the command line asked for. */
struct bench_options {
    size_t rounds;
    double scale;     /* multiplies the operations per sample */
    const char *json; /* where to write the results; NULL: nowhere */
    int cpu;          /* to run on; -1: where the scheduler put us */
};

/* Reads --rounds N, --scale X, --cpu N, --json FILE, --help. Exits with 2 on
 * anything else. */
struct bench_options bench_read_options(int argc, char **argv);

/* Binds the thread to one CPU and prints CPU, compiler and flags. */
void bench_open(const char *title, struct bench_options *options);

/* CPU time of the thread, of all threads of the process. */
double bench_now_ns(void);
double bench_process_ns(void);

void bench_add(struct bench_series *series, double ns);
double bench_min(const struct bench_series *series);
double bench_median(struct bench_series *series);

/* Prints a case as a table with ratios to the series `reference`, and keeps it
 * for the JSON file. */
void bench_report(const char *name, struct bench_series *series, size_t count,
                  size_t reference);

/* Keeps a figure that is not a time for the JSON file. */
void bench_note(const char *name, const char *what, double value);

/* Maps so many pages of alternating protection, a mapping each, and unmaps
 * them. Stops the program if the system gives no more. */
void *bench_map_many(size_t count);
void bench_unmap_many(void *pages, size_t count);

/* What a plug-in has under this name; stops the program if it has it not. */
const void *bench_load(const char *path, const char *symbol);

/* Writes the JSON file if one was asked for. Returns the exit status. */
int bench_close(const struct bench_options *options);

#ifdef __cplusplus
}
#endif

#endif
