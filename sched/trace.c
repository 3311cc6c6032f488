/*
 * trace.c: the last events of each thread, and how they are written.
 *
 * A ring keeps the last events, those that matter after a deadlock. Each event
 * is complete in itself, with its begin and its end, so that one that is lost
 * leaves no half.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/ask.h"
#include "sched/text.h"
#include "sched/trace.h"

#define MOST_BYTES ((size_t)64 << 10)

enum event_kind { RAN, WAITED, SPAWNED, STARTED, ENDED };

struct event {
    uint64_t at, until; /* nanoseconds of the run's clock          */
    uint64_t task;      /* its number                              */
    const char *words;  /* what it waited in; how it ended         */
    enum event_kind kind;
    char name[24];
};

struct trace {
    size_t room;
    uint64_t count; /* of all events; the last `room` are kept */
    struct event events[];
};

bool moat_events_open(struct sched *run, size_t room)
{
    for (unsigned i = 0; i < run->threads; i++) {
        struct trace *trace;
        size_t bytes;

        if (__builtin_mul_overflow(room, sizeof(struct event), &bytes) ||
            __builtin_add_overflow(bytes, sizeof *trace, &bytes))
            return false;
        trace = malloc(bytes);
        if (trace == NULL)
            return false;
        trace->room = room;
        trace->count = 0;
        run->workers[i].trace = trace;
    }
    return true;
}

void moat_events_close(struct sched *run)
{
    for (unsigned i = 0; i < run->threads; i++) {
        free(run->workers[i].trace);
        run->workers[i].trace = NULL;
    }
}

/* ---- Events ------------------------------------------------------------- */

static struct event *add(struct worker *worker, enum event_kind kind,
                         uint64_t task, const char *name)
{
    struct trace *trace = worker->trace;
    struct event *event = &trace->events[trace->count++ % trace->room];

    event->kind = kind;
    event->at = event->until = worker->now;
    event->task = task;
    event->words = NULL;
    memcpy(event->name, name, sizeof event->name);
    return event;
}

void moat_events_spawn(struct worker *worker, const struct moat_task *task)
{
    (void)add(worker, SPAWNED, task->number, task->name);
}

void moat_events_begin(struct worker *worker, const struct moat_task *task)
{
    struct event *event;

    if (task->co == NULL)
        (void)add(worker, STARTED, task->number, task->name);
    if (task->watched_in == NULL)
        return;
    event = add(worker, WAITED, task->number, task->name);
    event->words = task->watched_in;
    event->at = task->since;
    /* The two were read on different threads. */
    event->until =
        task->ready_since > task->since ? task->ready_since : task->since;
}

void moat_events_turn(struct worker *worker)
{
    const struct watch *watch = &worker->watch;

    add(worker, RAN, watch->number, watch->name)->at = watch->begun;
}

static const char *words_of(const moat_result *result)
{
    switch (result->kind) {
    case MOAT_EVENT_TRAP:
        return moat_trap_kind_str(result->trap.kind);
    case MOAT_EVENT_PANIC:
        return "an exception";
    case MOAT_EVENT_CANCELLED:
        return result->status != MOAT_OK ? moat_status_str(result->status)
                                         : "cancelled";
    default:
        return "returned";
    }
}

void moat_events_end(struct worker *worker, const struct moat_task *task)
{
    add(worker, ENDED, task->number, task->name)->words =
        words_of(&task->result);
}

/* ---- As JSON ------------------------------------------------------------ */

/* Chrome's times are microseconds. */
static void put_time(struct text *text, const char *key, uint64_t ns)
{
    moat_sched_text_put(text, ",\"%s\":%llu.%03llu", key,
                        (unsigned long long)(ns / 1000),
                        (unsigned long long)(ns % 1000));
}

static void put_head(struct text *text, const char *phase, unsigned thread,
                     const char *category)
{
    moat_sched_text_put(
        text, ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%u,\"cat\":\"%s\"", phase,
        (int)getpid(), thread, category);
}

static void put_name(struct text *text, const struct event *event)
{
    if (event->name[0] != '\0')
        moat_sched_text_put_json(text, event->name);
    else
        moat_sched_text_put(text, "\"task %llu\"",
                            (unsigned long long)event->task);
}

static void put_task(struct text *text, const struct event *event)
{
    moat_sched_text_put(text, ",\"args\":{\"task\":%llu,\"name\":",
                        (unsigned long long)event->task);
    moat_sched_text_put_json(text, event->name);
    moat_sched_text_put(text, "}}");
}

static void put_ran(struct text *text, unsigned thread,
                    const struct event *event)
{
    put_head(text, "X", thread, "run");
    moat_sched_text_put(text, ",\"name\":");
    put_name(text, event);
    put_time(text, "ts", event->at);
    put_time(text, "dur", event->until - event->at);
    put_task(text, event);
}

/* Waits are on no thread: a track for each task. */
static void put_waited(struct text *text, unsigned thread,
                       const struct event *event)
{
    for (int end = 0; end < 2; end++) {
        put_head(text, end ? "e" : "b", thread, "wait");
        moat_sched_text_put(
            text, ",\"id\":%llu,\"name\":", (unsigned long long)event->task);
        moat_sched_text_put_json(text, event->words);
        put_time(text, "ts", end ? event->until : event->at);
        put_task(text, event);
    }
}

/* An arrow from where a task was spawned to its first turn. */
static void put_flow(struct text *text, unsigned thread,
                     const struct event *event)
{
    put_head(text, event->kind == SPAWNED ? "s" : "f", thread, "spawn");
    if (event->kind == STARTED)
        moat_sched_text_put(text, ",\"bp\":\"e\"");
    moat_sched_text_put(text, ",\"name\":\"spawn\",\"id\":%llu",
                        (unsigned long long)event->task);
    put_time(text, "ts", event->at);
    put_task(text, event);
}

static void put_ended(struct text *text, unsigned thread,
                      const struct event *event)
{
    put_head(text, "i", thread, "end");
    moat_sched_text_put(text, ",\"s\":\"t\",\"name\":");
    moat_sched_text_put_json(text, event->words);
    put_time(text, "ts", event->at);
    put_task(text, event);
}

static void put_event(struct text *text, unsigned thread,
                      const struct event *event)
{
    switch (event->kind) {
    case RAN:
        put_ran(text, thread, event);
        break;
    case WAITED:
        put_waited(text, thread, event);
        break;
    case SPAWNED:
    case STARTED:
        put_flow(text, thread, event);
        break;
    case ENDED:
    default:
        put_ended(text, thread, event);
        break;
    }
}

static uint64_t lost_of(const struct trace *trace)
{
    return trace->count > trace->room ? trace->count - trace->room : 0;
}

/* Writes what there is once it is much. */
static void flush(struct text *text, size_t most, int fd)
{
    moat_status status;

    if (text->length <= most || text->status != MOAT_OK)
        return;
    status = moat_sched_text_write(text, fd);
    text->length = 0;
    text->status = status;
}

static void put_thread(struct text *text, unsigned thread,
                       const struct trace *trace, int fd)
{
    moat_sched_text_put(text,
                        ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%u,\"name\":"
                        "\"thread_name\",\"args\":{\"name\":\"thread %u\"}}",
                        (int)getpid(), thread, thread);
    for (uint64_t i = lost_of(trace); i < trace->count; i++) {
        put_event(text, thread, &trace->events[i % trace->room]);
        flush(text, MOST_BYTES, fd);
    }
}

moat_status moat_events_write(const struct sched *run, int fd)
{
    struct text text;
    uint64_t lost = 0;
    moat_status status;

    for (unsigned i = 0; i < run->threads; i++)
        lost += lost_of(run->workers[i].trace);
    moat_sched_text_begin(&text);
    moat_sched_text_put(
        &text,
        "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"clock\":\"%s\","
        "\"lost_events\":%llu},\"traceEvents\":[\n"
        "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\","
        "\"args\":{\"name\":\"moat-sched\"}}",
        run->clock == MOAT_CLOCK_TEST ? "test" : "monotonic",
        (unsigned long long)lost, (int)getpid());
    for (unsigned i = 0; i < run->threads; i++)
        put_thread(&text, i, run->workers[i].trace, fd);
    moat_sched_text_put(&text, "\n]}\n");
    flush(&text, 0, fd);
    status = text.status;
    moat_sched_text_free(&text);
    return status;
}
