/*
 * prometheus.c: the statistics of a run as text for Prometheus.
 *
 * It needs no memory but the caller's: a task that is stopped here leaves
 * nothing behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>

#include <moat/trap.h>

#include "sched/counters.h"

/* Text in a buffer that may be too small. */
struct buffer {
    char *bytes;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct buffer *buffer,
                                                      const char *format, ...)
{
    bool full = buffer->length >= buffer->size;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length =
        vsnprintf(full ? NULL : buffer->bytes + buffer->length,
                  full ? 0 : buffer->size - buffer->length, format, arguments);
    va_end(arguments);
    buffer->length += length > 0 ? (size_t)length : 0;
}

struct metric {
    const char *name, *type, *help;
    size_t offset;     /* in moat_sched_stats */
    bool of_all;       /* not of one thread   */
    bool is_ns;        /* shown in seconds    */
    const char *ended; /* the label `how`; the name's first has the help */
};

#define FIELD(field) offsetof(moat_sched_stats, field)

static const struct metric metrics[] = {
    {"tasks_spawned_total", "counter", "Tasks spawned.", FIELD(spawned), false,
     false, NULL},
    {"tasks_ended_total", "counter", "Tasks that have ended, by how.",
     FIELD(returned), false, false, "return"},
    {"tasks_ended_total", NULL, NULL, FIELD(trapped), false, false, "trap"},
    {"tasks_ended_total", NULL, NULL, FIELD(panicked), false, false, "panic"},
    {"tasks_ended_total", NULL, NULL, FIELD(cancelled), false, false,
     "cancelled"},
    {"tasks_not_run_total", "counter",
     "Tasks cancelled because they could not be run.", FIELD(not_run), false,
     false, NULL},
    {"switches_total", "counter", "Times that a task was resumed.",
     FIELD(switches), false, false, NULL},
    {"timeouts_total", "counter", "Deadlines that passed while a task waited.",
     FIELD(timeouts), false, false, NULL},
    {"deadlocks_total", "counter",
     "Times that every task waited and nothing could wake one.",
     FIELD(deadlocks), false, false, NULL},
    {"tasks_moved_total", "counter",
     "Times that a task went on on this thread and not its former one.",
     FIELD(moved), false, false, NULL},
    {"outside_wakes_total", "counter", "Waits ended by moat_waker_wake.",
     FIELD(outside_wakes), false, false, NULL},
    {"tasks_ready", "gauge", "Tasks that can run, in the thread's queue.",
     FIELD(ready), false, false, NULL},
    {"longest_run_seconds", "gauge",
     "The longest turn of a task, without a wait or a yield.",
     FIELD(longest_run_ns), false, true, NULL},
    {"tasks_live", "gauge", "Tasks that have not ended.", FIELD(live), true,
     false, NULL},
    {"tasks_fresh", "gauge", "Tasks that have not started, for any thread.",
     FIELD(fresh), true, false, NULL},
    {"timers", "gauge", "Deadlines that are waited for.", FIELD(timers), true,
     false, NULL},
};

static void put_head(struct buffer *buffer, const char *name, const char *type,
                     const char *help)
{
    put(buffer, "# HELP moat_sched_%s %s\n# TYPE moat_sched_%s %s\n", name,
        help, name, type);
}

static uint64_t field_of(const moat_sched_stats *stats, size_t offset)
{
    return *(const uint64_t *)(const void *)((const char *)stats + offset);
}

static void put_value(struct buffer *buffer, uint64_t value, bool is_ns)
{
    if (is_ns)
        put(buffer, "%llu.%09llu\n", (unsigned long long)(value / 1000000000),
            (unsigned long long)(value % 1000000000));
    else
        put(buffer, "%llu\n", (unsigned long long)value);
}

static void put_sample(struct buffer *buffer, const struct metric *metric,
                       unsigned thread, const moat_sched_stats *stats)
{
    put(buffer, "moat_sched_%s", metric->name);
    if (!metric->of_all)
        put(buffer, "{thread=\"%u\"", thread);
    if (metric->ended != NULL)
        put(buffer, ",how=\"%s\"", metric->ended);
    put(buffer, "%s ", metric->of_all ? "" : "}");
    put_value(buffer, field_of(stats, metric->offset), metric->is_ns);
}

/* The words of moat_trap_kind_str are for people. */
static void put_traps(struct buffer *buffer, unsigned thread,
                      const moat_sched_stats *stats)
{
    for (int kind = 1; kind < MOAT_SCHED_TRAP_KINDS; kind++)
        if (stats->traps[kind] != 0)
            put(buffer,
                "moat_sched_traps_total{thread=\"%u\",kind=\"%s\"} %llu\n",
                thread, moat_trap_kind_name((moat_trap_kind)kind),
                (unsigned long long)stats->traps[kind]);
}

static void put_delays(struct buffer *buffer, unsigned thread,
                       const moat_sched_stats *stats)
{
    static const char *const bounds[MOAT_SCHED_DELAYS] = {
        "1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1.0", "+Inf"};
    uint64_t count = 0;

    for (int i = 0; i < MOAT_SCHED_DELAYS; i++) {
        count += stats->delays[i];
        put(buffer,
            "moat_sched_delay_seconds_bucket{thread=\"%u\",le=\"%s\"} %llu\n",
            thread, bounds[i], (unsigned long long)count);
    }
    put(buffer, "moat_sched_delay_seconds_sum{thread=\"%u\"} ", thread);
    put_value(buffer, stats->delay_ns, true);
    put(buffer, "moat_sched_delay_seconds_count{thread=\"%u\"} %llu\n", thread,
        (unsigned long long)count);
}

static void put_each(struct buffer *buffer, const moat_monitor *monitor,
                     const struct metric *metric,
                     void (*put_more)(struct buffer *, unsigned,
                                      const moat_sched_stats *))
{
    unsigned threads = moat_monitor_threads(monitor);
    unsigned begin = 0, end = threads;

    if (metric != NULL && metric->of_all) {
        begin = MOAT_ALL_THREADS;
        end = 0; /* wraps: one round */
    }
    for (unsigned thread = begin; thread != end; thread++) {
        moat_sched_stats stats = MOAT_SCHED_STATS_INIT;

        if (moat_monitor_stats(monitor, thread, &stats) != MOAT_OK)
            return;
        if (metric != NULL)
            put_sample(buffer, metric, thread, &stats);
        else
            put_more(buffer, thread, &stats);
    }
}

size_t moat_monitor_prometheus(const moat_monitor *monitor, char *buffer,
                               size_t size)
{
    struct buffer out = {buffer, size, 0};

    if (size != 0)
        buffer[0] = '\0';
    if (moat_monitor_threads(monitor) == 0)
        return 0;
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        if (metrics[i].help != NULL)
            put_head(&out, metrics[i].name, metrics[i].type, metrics[i].help);
        /* The samples of one name stay together. */
        put_each(&out, monitor, &metrics[i], NULL);
    }
    put_head(&out, "traps_total", "counter", "Traps of tasks, by kind.");
    put_each(&out, monitor, NULL, put_traps);
    put_head(&out, "delay_seconds", "histogram",
             "From the moment at which a task can run to its turn.");
    put_each(&out, monitor, NULL, put_delays);
    return out.length;
}
