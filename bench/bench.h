/*
 * bench.h: measuring and reporting, for all benchmarks.
 *
 * Times are CPU time of the thread, so other programs on the machine add only
 * noise in the caches. The variants of a case run in turn in each round, so a
 * slow phase of the machine affects all alike. The minimum and the median over
 * the rounds are reported.
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

/* The options of the command line. */
struct bench_options {
    size_t rounds;
    double scale;     /* multiplies the operations per sample */
    const char *json; /* file for the results; NULL: none     */
    int cpu;          /* to run on; -1: the one it starts on  */
};

/* Reads --rounds N, --scale X, --cpu N, --json FILE, --help. Exits with 2 on
 * anything else. `rounds` is the default. */
struct bench_options bench_read_options(int argc, char **argv, size_t rounds);

/* Binds the thread to one CPU. Prints the CPU, the compiler and its flags. */
void bench_open(const char *title, struct bench_options *options);

/* CPU time of the thread, and of all threads of the process. */
double bench_now_ns(void);
double bench_process_ns(void);

void bench_add(struct bench_series *series, double ns);
double bench_min(const struct bench_series *series);
double bench_median(struct bench_series *series);

/* Prints a case as a table with ratios to the series `reference`, and records
 * it for the JSON file. */
void bench_report(const char *name, struct bench_series *series, size_t count,
                  size_t reference);

/* Records a figure that is not a time for the JSON file. */
void bench_note(const char *name, const char *what, double value);

/* Maps `count` pages of alternating protection, so that each is a mapping of
 * its own, and unmaps them. Stops the program at the system's limit. */
void *bench_map_many(size_t count);
void bench_unmap_many(void *pages, size_t count);

/* Returns a plug-in's symbol. Stops the program if there is none. */
const void *bench_load(const char *path, const char *symbol);

/* Stops the program with the message that `what` failed. */
void bench_stop(const char *what) __attribute__((noreturn));

/* Writes the JSON file if the options name one. Returns the exit status. */
int bench_close(const struct bench_options *options);

#ifdef __cplusplus
}
#endif

#endif
