/*
 * metrics.c: what scripts have used, as text for Prometheus.
 *
 * The file is written under another name and then renamed, so that a reader
 * finds either the old one or the new one, whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "usage.h"

#define SECOND UINT64_C(1000000000)

/* The most bytes that escape_copy makes of one. */
#define ESCAPED_BYTES 10

static bool refuse(const char *path, const char *why)
{
    return complain("run", "--metrics: %s: %s", path, why);
}

/* ---- The file ------------------------------------------------------------ */

/* Of new files: what the process' mask leaves. It is read before there are
 * threads. */
static mode_t file_mode;

static void read_mode(void)
{
    mode_t mask = umask(0);

    (void)umask(mask);
    file_mode = 0666 & ~mask;
}

/* Opens a new file beside the path. *name is malloc'ed. Returns NULL with
 * errno. */
static FILE *open_beside(const char *path, char **name)
{
    FILE *out = NULL;
    int fd;

    if (asprintf(name, "%s.XXXXXX", path) < 0) {
        *name = NULL;
        return NULL;
    }
    fd = mkostemp(*name, O_CLOEXEC);
    if (fd >= 0 && fchmod(fd, file_mode) == 0)
        out = fdopen(fd, "w");
    if (fd >= 0 && out == NULL) {
        close(fd);
        unlink(*name);
    }
    return out;
}

/* To rename a file over a device or a pipe would remove that. */
bool metrics_check(const char *path)
{
    struct stat file;
    char *name = NULL;
    FILE *out;

    if (path == NULL)
        return true;
    if (strcmp(path, "-") == 0)
        return refuse(path, "standard output has the results: name a file");
    if (lstat(path, &file) == 0 && !S_ISREG(file.st_mode))
        return refuse(path, "is not a regular file");
    read_mode();
    out = open_beside(path, &name);
    if (out == NULL)
        refuse(path, strerror(errno));
    if (out != NULL) {
        fclose(out);
        unlink(name);
    }
    free(name);
    return out != NULL;
}

/* ---- The sums ------------------------------------------------------------ */

bool metrics_open(struct metrics *metrics, const struct run_options *options)
{
    *metrics = (struct metrics){.options = options};
    if (options->metrics == NULL)
        return true;
    metrics->rows = calloc(options->file_count, sizeof *metrics->rows);
    return metrics->rows != NULL || complain("run", "out of memory");
}

void metrics_close(struct metrics *metrics)
{
    free(metrics->rows);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add(struct metrics_row *row, const struct result *result)
{
    const moat_usage *usage = &result->usage;
    size_t kind = (size_t)result->kind;

    row->runs++;
    row->restarts += result->again;
    row->verdicts[result->verdict]++;
    if (kind != 0 && kind < METRICS_TRAPS)
        row->traps[kind]++;
    row->cpu_ns += usage->cpu_ns;
    row->wall_ns += usage->wall_ns;
    row->resumes += usage->resumes;
    row->preemptions += usage->preemptions;
    row->syscalls += usage->syscalls;
    row->heap_byte_ms += usage->heap_byte_ms;
    row->heap_peak = greater(row->heap_peak, usage->heap_peak);
    row->stack_peak = greater(row->stack_peak, usage->stack_peak);
}

void metrics_add(struct metrics *metrics, const struct result *result)
{
    struct metrics_row *row;

    if (metrics->rows == NULL)
        return;
    row = &metrics->rows[result->number - 1];
    metrics->all.heap_bytes -= row->heap_bytes;
    row->heap_bytes = result->usage.heap_bytes;
    metrics->all.heap_bytes += row->heap_bytes;
    add(row, result);
    add(&metrics->all, result);
}

/* ---- The text ------------------------------------------------------------ */

/* Each name is that of one script, with "moat_script_" before it, and that of
 * all, with "moat_run_". */
enum unit { COUNT, NANOSECONDS, BYTE_MS };

struct metric {
    const char *name, *type, *help;
    size_t offset; /* in struct metrics_row */
    enum unit unit;
};

#define FIELD(field) offsetof(struct metrics_row, field)

static const struct metric metrics_of_row[] = {
    {"runs_total", "counter", "Runs that have ended.", FIELD(runs), COUNT},
    {"restarts_total", "counter", "Runs after which another was due.",
     FIELD(restarts), COUNT},
    {"cpu_seconds_total", "counter", "CPU time.", FIELD(cpu_ns), NANOSECONDS},
    {"wall_seconds_total", "counter",
     "Elapsed time, without the turns of other scripts.", FIELD(wall_ns),
     NANOSECONDS},
    {"resumes_total", "counter", "Times that it was resumed.", FIELD(resumes),
     COUNT},
    {"preemptions_total", "counter", "Slices that have ended before it did.",
     FIELD(preemptions), COUNT},
    {"syscalls_total", "counter",
     "System calls of C code that --syscalls has decided.", FIELD(syscalls),
     COUNT},
    {"heap_bytes", "gauge", "Heap in use when the last run ended.",
     FIELD(heap_bytes), COUNT},
    {"heap_peak_bytes", "gauge", "The most heap in use, in whole pages.",
     FIELD(heap_peak), COUNT},
    {"heap_byte_seconds_total", "counter",
     "Heap in use, in whole pages, times the seconds that it was.",
     FIELD(heap_byte_ms), BYTE_MS},
    {"stack_peak_bytes", "gauge", "The most C stack in use, in whole pages.",
     FIELD(stack_peak), COUNT},
};

static void put_value(FILE *out, uint64_t value, enum unit unit)
{
    if (unit == NANOSECONDS)
        fprintf(out, " %" PRIu64 ".%09" PRIu64 "\n", value / SECOND,
                value % SECOND);
    else if (unit == BYTE_MS)
        fprintf(out, " %" PRIu64 ".%03" PRIu64 "\n", value / 1000,
                value % 1000);
    else
        fprintf(out, " %" PRIu64 "\n", value);
}

/* Writes a name as it is displayed elsewhere. Names may be equal, so the label
 * `number` distinguishes them. */
static void put_labels(FILE *out, const struct metrics *metrics, size_t i)
{
    const char *file = metrics->options->files[i];
    size_t bytes = strlen(file) * ESCAPED_BYTES + 1;
    char *name = malloc(bytes);

    fputs("script=\"", out);
    if (name != NULL)
        escape_copy(name, bytes, file);
    for (const char *at = name; at != NULL && *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            putc('\\', out);
        putc(*at, out);
    }
    fprintf(out, "\",number=\"%zu\"", i + 1);
    free(name);
}

static void put_head(FILE *out, const char *family, const char *name,
                     const char *type, const char *help)
{
    fprintf(out, "# HELP moat_%s_%s %s\n# TYPE moat_%s_%s %s\n", family, name,
            help, family, name, type);
}

static uint64_t field_of(const struct metrics_row *row, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)row + offset);
}

static void put_metric(FILE *out, const struct metrics *metrics,
                       const struct metric *metric)
{
    put_head(out, "script", metric->name, metric->type, metric->help);
    for (size_t i = 0; i < metrics->options->file_count; i++) {
        fprintf(out, "moat_script_%s{", metric->name);
        put_labels(out, metrics, i);
        putc('}', out);
        put_value(out, field_of(&metrics->rows[i], metric->offset),
                  metric->unit);
    }
    put_head(out, "run", metric->name, metric->type, metric->help);
    fprintf(out, "moat_run_%s", metric->name);
    put_value(out, field_of(&metrics->all, metric->offset), metric->unit);
}

/* A family whose samples differ by one label more: only those that are not 0.
 */
struct family {
    const char *name, *help, *label;
    const char *(*text)(size_t);
    size_t offset, count;
};

static const char *trap_name(size_t kind)
{
    return moat_trap_kind_name((moat_trap_kind)kind);
}

static const char *verdict_name(size_t verdict)
{
    const struct result result = {.verdict = (enum verdict)verdict};

    return verdict_text(&result);
}

static const struct family families[] = {
    {"traps_total", "Traps, by kind.", "kind", trap_name, FIELD(traps),
     METRICS_TRAPS},
    {"verdicts_total", "Runs that have ended, by verdict.", "verdict",
     verdict_name, FIELD(verdicts), VERDICT_COUNT},
};

static void put_counts(FILE *out, const struct metrics *metrics,
                       const struct family *family, size_t script)
{
    bool all = script == metrics->options->file_count;
    const struct metrics_row *row =
        all ? &metrics->all : &metrics->rows[script];

    for (size_t i = 0; i < family->count; i++) {
        uint64_t count = field_of(row, family->offset + i * sizeof count);

        if (count == 0)
            continue;
        fprintf(out, "moat_%s_%s{", all ? "run" : "script", family->name);
        if (!all) {
            put_labels(out, metrics, script);
            putc(',', out);
        }
        fprintf(out, "%s=\"%s\"}", family->label, family->text(i));
        put_value(out, count, COUNT);
    }
}

static void put_family(FILE *out, const struct metrics *metrics,
                       const struct family *family)
{
    size_t scripts = metrics->options->file_count;

    put_head(out, "script", family->name, "counter", family->help);
    for (size_t i = 0; i < scripts; i++)
        put_counts(out, metrics, family, i);
    put_head(out, "run", family->name, "counter", family->help);
    put_counts(out, metrics, family, scripts);
}

static void put_all(FILE *out, const struct metrics *metrics)
{
    put_head(out, "run", "scripts", "gauge", "Scripts of this run.");
    fputs("moat_run_scripts", out);
    put_value(out, metrics->options->file_count, COUNT);
    for (size_t i = 0; i < sizeof metrics_of_row / sizeof metrics_of_row[0];
         i++)
        put_metric(out, metrics, &metrics_of_row[i]);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        put_family(out, metrics, &families[i]);
}

/* ---- Writing ------------------------------------------------------------- */

/* Returns false with errno. */
static bool write_out(FILE *out, const struct metrics *metrics)
{
    bool good;

    put_all(out, metrics);
    good = ferror(out) == 0 && fflush(out) == 0;
    return fclose(out) == 0 && good;
}

bool metrics_write(struct metrics *metrics)
{
    const char *path = metrics->options->metrics;
    char *name = NULL;
    FILE *out;
    bool written;

    if (metrics->rows == NULL)
        return true;
    out = open_beside(path, &name);
    written = out != NULL && write_out(out, metrics) && rename(name, path) == 0;
    if (!written)
        refuse(path, strerror(errno));
    if (!written && out != NULL)
        unlink(name);
    free(name);
    return written;
}

bool metrics_write_some(struct metrics *metrics)
{
    struct timespec now = {0, 0};
    uint64_t ns;

    if (metrics->rows == NULL || metrics->written_runs == metrics->all.runs)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
    if (metrics->written_at != 0 && ns - metrics->written_at < SECOND)
        return true;
    metrics->written_at = ns;
    metrics->written_runs = metrics->all.runs;
    return metrics_write(metrics);
}
