/*
 * scripts.c: whole scripts in `moat run`, beside a host that only runs them on
 * the same Lua library: a few long ones, each in a process of its own, and many
 * short ones in one process. The time of whole processes is compared; the hosts
 * alternate.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"

static const char *const names[] = {"nbody", "spectral_norm", "fannkuch",
                                    "binary_trees", "mandelbrot"};
#define SCRIPTS (sizeof names / sizeof names[0])

enum { MOAT, BARE, HOSTS };

/* CPU time that a process has used, in nanoseconds. */
struct cost {
    double cpu, elapsed;
};

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

static double elapsed_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Discards the output. Stops the program if the host fails. */
static struct cost run(char *const *argv)
{
    posix_spawn_file_actions_t actions;
    extern char **environ;
    struct rusage used;
    double start = elapsed_ns();
    int status = 0;
    pid_t child = 0;

    if (posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY,
                                         0) != 0 ||
        posix_spawn(&child, argv[0], &actions, NULL, argv, environ) != 0 ||
        wait4(child, &status, 0, &used) != child || status != 0) {
        fprintf(stderr, "%s failed (status 0x%x)\n", argv[0], (unsigned)status);
        exit(1);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return (struct cost){(seconds(&used.ru_utime) + seconds(&used.ru_stime)) *
                             1e9,
                         elapsed_ns() - start};
}

static void run_script(const char *name, size_t rounds,
                       struct bench_series *total)
{
    static struct bench_series series[HOSTS];
    char path[512];
    char *moat[] = {(char *)BENCH_MOAT, (char *)"run", (char *)"--quiet",
                    (char *)"--cpu",    (char *)"0",   (char *)"--memory",
                    (char *)"1G",       path,          NULL};
    char *bare[] = {(char *)BENCH_BARE, path, NULL};

    snprintf(path, sizeof path, "%s/%s.lua", BENCH_LUA_FOLDER, name);
    memset(series, 0, sizeof series);
    series[MOAT].name = "moat run";
    series[BARE].name = "bare host";
    for (size_t round = 0; round < rounds; round++) {
        bench_add(&series[MOAT], run(moat).cpu);
        bench_add(&series[BARE], run(bare).cpu);
    }
    bench_report(name, series, HOSTS, BARE);
    for (size_t round = 0; round < rounds; round++)
        for (int host = 0; host < HOSTS; host++)
            total[host].samples[round] += series[host].samples[round];
}

/* --- many short scripts --------------------------------------------------- */

#define SMALL_MAX 2000

static char folder[] = "/tmp/moat-bench-XXXXXX";
static char files[SMALL_MAX][sizeof folder + 32];

static void write_files(size_t count)
{
    if (mkdtemp(folder) == NULL)
        bench_stop("mkdtemp");
    for (size_t i = 0; i < count; i++) {
        FILE *out;

        snprintf(files[i], sizeof files[i], "%s/%zu.lua", folder, i);
        out = fopen(files[i], "w");
        if (out == NULL || fprintf(out, "print('script', %zu)\n", i) < 0 ||
            fclose(out) != 0)
            bench_stop(files[i]);
    }
}

static void remove_files(size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)unlink(files[i]);
    (void)rmdir(folder);
}

/* bench_open has bound this process, and what it starts, to one CPU. */
static void use_all_cpus(void)
{
    cpu_set_t set;

    memset(&set, 0xff, sizeof set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        bench_stop("sched_setaffinity");
}

static const struct {
    const char *name;
    const char *words[5]; /* before the files */
} hosts[] = {{"moat run", {BENCH_MOAT, "run"}},
             {"bare host", {BENCH_BARE}},
             {"moat run --jobs 2", {BENCH_MOAT, "run", "--jobs", "2"}}};
#define SMALL_HOSTS (sizeof hosts / sizeof hosts[0])

static struct cost run_small(size_t host, size_t count)
{
    static char *argv[SMALL_MAX + 6];
    size_t n = 0;

    for (size_t i = 0; hosts[host].words[i] != NULL; i++)
        argv[n++] = (char *)hosts[host].words[i];
    for (size_t i = 0; i < count; i++)
        argv[n++] = files[i];
    argv[n] = NULL;
    return run(argv);
}

static void run_many(const struct bench_options *options)
{
    static struct bench_series cpu[SMALL_HOSTS], elapsed[SMALL_HOSTS];
    size_t count = (size_t)(SMALL_MAX * options->scale);
    char name[64];

    if (count < 1 || count > SMALL_MAX)
        count = count < 1 ? 1 : SMALL_MAX;
    write_files(count);
    for (size_t host = 0; host < SMALL_HOSTS; host++)
        cpu[host].name = elapsed[host].name = hosts[host].name;
    for (size_t round = 0; round < options->rounds; round++) {
        for (size_t host = 0; host < SMALL_HOSTS; host++) {
            struct cost cost = run_small(host, count);

            bench_add(&cpu[host], cost.cpu);
            bench_add(&elapsed[host], cost.elapsed);
        }
    }
    remove_files(count);
    snprintf(name, sizeof name, "%zu scripts of one line, CPU time", count);
    bench_report(name, cpu, SMALL_HOSTS, BARE);
    snprintf(name, sizeof name, "%zu scripts of one line, elapsed", count);
    bench_report(name, elapsed, SMALL_HOSTS, BARE);
}

int main(int argc, char **argv)
{
    static struct bench_series total[HOSTS];
    struct bench_options options = bench_read_options(argc, argv, 15);

    bench_open("Scripts, whole processes", &options);
    total[MOAT].name = "moat run";
    total[BARE].name = "bare host";
    total[MOAT].count = total[BARE].count = options.rounds;
    for (size_t i = 0; i < SCRIPTS; i++)
        run_script(names[i], options.rounds, total);
    bench_report("all of them", total, HOSTS, BARE);
    use_all_cpus();
    run_many(&options);
    return bench_close(&options);
}
