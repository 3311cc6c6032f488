/*
 * dump.c: what every task of a run does, for people and for programs.
 *
 * It is formatted on the host's stack, while no task of the thread runs and the
 * run is locked, and written afterwards.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include <moat/backtrace.h>

#include "sched/ask.h"
#include "sched/clock.h"
#include "sched/dump.h"
#include "sched/refuse.h"
#include "sched/text.h"

#define MOST_FRAMES 64
#define LINE_BYTES  512

struct dump {
    const struct dump_part *part;
    struct text *text;
    moat_frame frames[MOST_FRAMES];
    char line[LINE_BYTES];
};

static const char *state_of(const struct moat_task *task)
{
    switch (task->state) {
    case TASK_READY:
        return task->co == NULL ? "not started" : "ready";
    case TASK_RUNNING:
        return "running";
    case TASK_WAITING:
        return task->over ? "ending" : "waiting";
    default:
        return "ended";
    }
}

static size_t walk(struct dump *dump, const struct moat_task *task)
{
    size_t count = 0;

    /* A coroutine is walked by its own thread; one in a host call runs. */
    if (task->co != NULL && task->home == dump->part->walker && !task->over)
        (void)moat_co_backtrace(task->co, dump->frames, MOST_FRAMES, &count);
    return count;
}

static const char *describe(struct dump *dump, const moat_frame *frame)
{
    if (moat_frame_describe(frame, dump->line, sizeof dump->line) != MOAT_OK)
        return "?";
    return dump->line;
}

static const char *describe_creator(struct dump *dump,
                                    const struct moat_task *task)
{
    moat_frame frame = {task->creator, 0, NULL, 0};

    return describe(dump, &frame);
}

static uint64_t waited_ns(const struct dump *dump, const struct moat_task *task)
{
    uint64_t now = dump->part->now;

    return now > task->since ? now - task->since : 0;
}

/* ---- For people --------------------------------------------------------- */

static void put_wait(struct dump *dump, const struct moat_task *task)
{
    const struct moat_task *other = task->waits_for;
    struct text *text = dump->text;
    uint64_t ms = waited_ns(dump, task) / 1000000;

    moat_sched_text_put(text, ", %s", task->waits_in->words);
    if (task->waits_in->for_task)
        moat_sched_text_put(text, " %llu", (unsigned long long)other->number);
    else if (task->waits_in->for_fd)
        moat_sched_text_put(text, " %d", (int)(uintptr_t)task->waits_for);
    else if (other != NULL)
        moat_sched_text_put(text, " %p", task->waits_for);
    moat_sched_text_put(text, " for %llu.%03llu s",
                        (unsigned long long)(ms / 1000),
                        (unsigned long long)(ms % 1000));
}

static void put_task(struct dump *dump, const struct moat_task *task)
{
    struct text *text = dump->text;
    size_t count = walk(dump, task);

    moat_sched_text_put(text, "task %llu", (unsigned long long)task->number);
    if (task->name[0] != '\0')
        moat_sched_text_put(text, " '%s'", task->name);
    moat_sched_text_put(text, ": %s", state_of(task));
    if (task->cancelled)
        moat_sched_text_put(text, ", cancelled");
    if (task->waits_in != NULL)
        put_wait(dump, task);
    moat_sched_text_put(text, "\n");
    if (task->creator != 0)
        moat_sched_text_put(text, "  spawned at %s\n",
                            describe_creator(dump, task));
    for (size_t i = 0; i < count; i++)
        moat_sched_text_put(text, "  #%zu %s\n", i,
                            describe(dump, &dump->frames[i]));
}

/* ---- For programs ------------------------------------------------------- */

static void put_json_wait(struct dump *dump, const struct moat_task *task)
{
    const struct moat_task *other = task->waits_for;
    struct text *text = dump->text;

    moat_sched_text_put(text, ",\"waits\":");
    moat_sched_text_put_json(text, task->waits_in->words);
    if (task->waits_in->for_task)
        moat_sched_text_put(text, ",\"for_task\":%llu",
                            (unsigned long long)other->number);
    else if (task->waits_in->for_fd)
        moat_sched_text_put(text, ",\"for_fd\":%d",
                            (int)(uintptr_t)task->waits_for);
    else if (other != NULL)
        moat_sched_text_put(text, ",\"for\":\"%p\"", task->waits_for);
    moat_sched_text_put(text, ",\"waited_ns\":%llu",
                        (unsigned long long)waited_ns(dump, task));
}

static void put_json_task(struct dump *dump, const struct moat_task *task)
{
    struct text *text = dump->text;
    size_t count = walk(dump, task);

    moat_sched_text_put(
        text, "{\"number\":%llu,\"name\":", (unsigned long long)task->number);
    moat_sched_text_put_json(text, task->name);
    moat_sched_text_put(text, ",\"state\":");
    moat_sched_text_put_json(text, state_of(task));
    moat_sched_text_put(text, ",\"cancelled\":%s",
                        task->cancelled ? "true" : "false");
    if (task->waits_in != NULL)
        put_json_wait(dump, task);
    if (task->creator != 0) {
        moat_sched_text_put(text, ",\"spawned_at\":");
        moat_sched_text_put_json(text, describe_creator(dump, task));
    }
    moat_sched_text_put(text, ",\"frames\":[");
    for (size_t i = 0; i < count; i++) {
        moat_sched_text_put(text, i != 0 ? "," : "");
        moat_sched_text_put_json(text, describe(dump, &dump->frames[i]));
    }
    moat_sched_text_put(text, "]}");
}

/* ---- All ---------------------------------------------------------------- */

static bool is_of(const struct moat_task *task, const struct dump_part *part)
{
    return (part->round == 0 || task->dumped != part->round) &&
           (part->home == NULL || task->home == part->home);
}

void moat_dump_put(struct sched *run, const struct dump_part *part, bool json,
                   struct text *text)
{
    struct dump dump;
    const char *between = "";

    dump.part = part;
    dump.text = text;
    for (struct link *at = run->everyone.next; at != &run->everyone;
         at = at->next) {
        struct moat_task *task = LINKED(at, struct moat_task, everyone);

        if (!is_of(task, part))
            continue;
        task->dumped = part->round;
        if (!json) {
            put_task(&dump, task);
            continue;
        }
        moat_sched_text_put(text, "%s", between);
        put_json_task(&dump, task);
        between = ",";
    }
}

void moat_dump_one(struct worker *worker, const struct moat_task *task,
                   struct text *text)
{
    struct dump_part part = {.walker = worker};
    struct dump dump;

    part.now = moat_clock_read(worker);
    dump.part = &part;
    dump.text = text;
    put_task(&dump, task);
}

void moat_dump_all(struct worker *worker, bool json, struct text *text)
{
    struct dump_part part = {.walker = worker};

    part.now = moat_clock_read(worker);
    moat_sched_text_put(text, "%s", json ? "{\"tasks\":[" : "");
    moat_dump_put(worker->run, &part, json, text);
    moat_sched_text_put(text, "%s", json ? "]}\n" : "");
}

/* ---- The calls ---------------------------------------------------------- */

/* The text becomes the task's room, from which the task writes it: a slow
 * reader stops that task's thread, not the run. */
static enum verdict format(struct worker *worker, struct moat_task *task)
{
    struct text text;
    void *room;

    moat_sched_text_begin(&text);
    moat_dump_all(worker, task->wish.dump.json, &text);
    task->status = text.status;
    task->wish.dump.length = text.length;
    room = moat_sched_text_take(&text);
    if (room == NULL) {
        task->wish.dump.length = 0;
        return answer(task, MOAT_E_NOMEM);
    }
    free(task->room);
    task->room = room;
    task->room_bytes = task->wish.dump.length;
    return GOES_ON;
}

static const struct op dumps = {.perform = format, .words = "dumps the tasks"};

static moat_status dump_to(int fd, bool json)
{
    struct moat_task *task = asker();
    moat_status status, written;

    if (fd < 0)
        return refuse_value("fd is %d: no descriptor", (uint64_t)fd);
    if (task == NULL)
        return MOAT_E_STATE;
    task->wish.dump.json = json;
    status = ask(task, &dumps);
    written = moat_sched_bytes_write(task->room, task->wish.dump.length, fd);
    return written != MOAT_OK ? written : status;
}

moat_status moat_dump_tasks(int fd)
{
    return dump_to(fd, false);
}

moat_status moat_dump_tasks_json(int fd)
{
    return dump_to(fd, true);
}
