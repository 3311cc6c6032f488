/*
 * scripts.c: whole scripts in `moat run` against a host that does nothing but
 * run them, on the same Lua library: processes from start to end, interleaved,
 * by the CPU time that the system counted for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "bench/bench.h"

static const char *const names[] = {"nbody", "spectral_norm", "fannkuch",
                                    "binary_trees", "mandelbrot"};
#define SCRIPTS (sizeof names / sizeof names[0])

enum { MOAT, BARE, HOSTS };

static double seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

/* Output goes nowhere; a host that fails ends the benchmark. */
static double run(char *const *argv)
{
    posix_spawn_file_actions_t actions;
    extern char **environ;
    struct rusage used;
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
    return (seconds(&used.ru_utime) + seconds(&used.ru_stime)) * 1e9;
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
        bench_add(&series[MOAT], run(moat));
        bench_add(&series[BARE], run(bare));
    }
    bench_report(name, series, HOSTS, BARE);
    for (size_t round = 0; round < rounds; round++)
        for (int host = 0; host < HOSTS; host++)
            total[host].samples[round] += series[host].samples[round];
}

int main(int argc, char **argv)
{
    static struct bench_series total[HOSTS];
    struct bench_options options = bench_read_options(argc, argv);

    bench_open("Scripts, whole processes", &options);
    total[MOAT].name = "moat run";
    total[BARE].name = "bare host";
    total[MOAT].count = total[BARE].count = options.rounds;
    for (size_t i = 0; i < SCRIPTS; i++)
        run_script(names[i], options.rounds, total);
    bench_report("all of them", total, HOSTS, BARE);
    return bench_close(&options);
}
