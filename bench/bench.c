/*
 * bench.c: options, clocks, statistics, tables and JSON of the benchmarks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/bench.h"

#include <dlfcn.h>
#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES ((size_t)4096)

static json_t *results; /* one object per case */
static json_t *setting; /* CPU, compiler, flags; results, added last */

static void usage(FILE *out, const char *program, size_t rounds)
{
    fprintf(out,
            "usage: %s [--rounds N] [--scale X] [--cpu N] [--json FILE]\n"
            "  --rounds N   rounds, 1 to %d (default %zu)\n"
            "  --scale X    multiplies the operations per sample (default 1)\n"
            "  --cpu N      run on this CPU (default: the one it starts on)\n"
            "  --json FILE  also write the results to FILE\n",
            program, BENCH_MAX_ROUNDS, rounds);
}

static double read_number(const char *program, const char *option,
                          const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= min && value <= max)) {
        fprintf(stderr, "%s: --%s %s: not a number from %g to %g\n", program,
                option, text, min, max);
        exit(2);
    }
    return value;
}

struct bench_options bench_read_options(int argc, char **argv, size_t rounds)
{
    static const struct option names[] = {
        {"rounds", 1, NULL, 'r'}, {"scale", 1, NULL, 's'},
        {"cpu", 1, NULL, 'c'},    {"json", 1, NULL, 'j'},
        {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0}};
    struct bench_options options = {rounds, 1, NULL, -1};
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        switch (option) {
        case 'r':
            options.rounds = (size_t)read_number(argv[0], "rounds", optarg, 1,
                                                 BENCH_MAX_ROUNDS);
            break;
        case 's':
            options.scale = read_number(argv[0], "scale", optarg, 1e-6, 1e3);
            break;
        case 'c':
            options.cpu =
                (int)read_number(argv[0], "cpu", optarg, 0, CPU_SETSIZE - 1);
            break;
        case 'j':
            options.json = optarg;
            break;
        case 'h':
            usage(stdout, argv[0], rounds);
            exit(0);
        default:
            usage(stderr, argv[0], rounds);
            exit(2);
        }
    if (optind != argc) {
        usage(stderr, argv[0], rounds);
        exit(2);
    }
    return options;
}

static void pin(struct bench_options *options)
{
    cpu_set_t set;

    if (options->cpu < 0)
        options->cpu = sched_getcpu();
    CPU_ZERO(&set);
    CPU_SET((size_t)options->cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        fprintf(stderr, "cannot run on CPU %d\n", options->cpu);
        exit(2);
    }
}

static void read_cpu_name(char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];

    snprintf(name, size, "unknown");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(name, size, "%s", strchr(line, ':') + 2);
            break;
        }
    fclose(file);
}

void bench_open(const char *title, struct bench_options *options)
{
    char cpu[128];

    pin(options);
    read_cpu_name(cpu, sizeof(cpu));
    results = json_array();
    setting = json_pack("{s:s, s:s, s:s, s:s, s:i}", "title", title, "cpu", cpu,
                        "compiler", BENCH_COMPILER, "flags", BENCH_FLAGS,
                        "rounds", (int)options->rounds);
    printf("%s\nCPU:      %s (CPU %d)\nCompiler: %s\nFlags:    %s\n"
           "Rounds:   %zu, interleaved; thread CPU time\n",
           title, cpu, options->cpu, BENCH_COMPILER, BENCH_FLAGS,
           options->rounds);
}

static double read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double bench_now_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double bench_process_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_add(struct bench_series *series, double ns)
{
    if (series->count < BENCH_MAX_ROUNDS)
        series->samples[series->count++] = ns;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

double bench_min(const struct bench_series *series)
{
    double min = series->samples[0];

    for (size_t i = 1; i < series->count; i++)
        if (series->samples[i] < min)
            min = series->samples[i];
    return min;
}

double bench_median(struct bench_series *series)
{
    qsort(series->samples, series->count, sizeof(double), compare);
    return (series->samples[(series->count - 1) / 2] +
            series->samples[series->count / 2]) /
           2;
}

void bench_report(const char *name, struct bench_series *series, size_t count,
                  size_t reference)
{
    double base_min = bench_min(&series[reference]);
    double base_median = bench_median(&series[reference]);

    printf("\n%-34s %10s %10s   %s\n", name, "min ns", "median ns",
           "ratio (min, median)");
    for (size_t i = 0; i < count; i++) {
        double min = bench_min(&series[i]);
        double median = bench_median(&series[i]);

        printf("  %-32s %10.2f %10.2f   %.3f %.3f%s\n", series[i].name, min,
               median, min / base_min, median / base_median,
               i == reference ? "  (reference)" : "");
        json_array_append_new(
            results, json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "case", name,
                               "variant", series[i].name, "min_ns", min,
                               "median_ns", median, "ratio_min", min / base_min,
                               "ratio_median", median / base_median));
    }
}

void bench_note(const char *name, const char *what, double value)
{
    json_array_append_new(results, json_pack("{s:s, s:s, s:f}", "case", name,
                                             "figure", what, "value", value));
}

void *bench_map_many(size_t count)
{
    char *pages = mmap(NULL, count * PAGE_BYTES, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    for (size_t i = 1; pages != MAP_FAILED && i < count; i += 2)
        if (mprotect(pages + i * PAGE_BYTES, PAGE_BYTES, PROT_READ) != 0)
            pages = MAP_FAILED;
    if (pages == MAP_FAILED) {
        fprintf(stderr,
                "cannot make %zu mappings; check vm.max_map_count "
                "(default 65530)\n",
                count);
        exit(1);
    }
    return pages;
}

void bench_unmap_many(void *pages, size_t count)
{
    munmap(pages, count * PAGE_BYTES);
}

const void *bench_load(const char *path, const char *symbol)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const void *found = library != NULL ? dlsym(library, symbol) : NULL;

    if (found == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return found;
}

void bench_stop(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

int bench_close(const struct bench_options *options)
{
    int status = 0;

    json_object_set_new(setting, "results", results);
    if (options->json != NULL &&
        json_dump_file(setting, options->json, JSON_INDENT(2)) != 0) {
        fprintf(stderr, "cannot write %s\n", options->json);
        status = 1;
    }
    json_decref(setting);
    return status;
}
