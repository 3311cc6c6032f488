/*
 * report.c: failures that no task waited for, and deadlocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unwind.h>

#include "sched/ask.h"
#include "sched/dump.h"
#include "sched/report.h"
#include "sched/text.h"

static const char *words_of(const moat_result *result)
{
    switch (result->kind) {
    case MOAT_EVENT_TRAP:
        return moat_trap_kind_str(result->trap.kind);
    case MOAT_EVENT_PANIC:
        return "an exception";
    case MOAT_EVENT_CANCELLED:
        return result->status != MOAT_OK ? moat_status_str(result->status)
                                         : NULL;
    default:
        return NULL;
    }
}

/* The run is not locked meanwhile: the reader may be slow. */
static void write_unlocked(struct sched *run, struct text *text)
{
    run_unlock(run);
    (void)moat_sched_text_write(text, run->report_fd);
    run_lock(run);
    moat_sched_text_free(text);
}

void moat_report_unseen(struct sched *run, const struct moat_task *task)
{
    const char *words = words_of(&task->result);
    struct text text;

    if (words != NULL && run->report_fd >= 0 && task->group == &run->root) {
        moat_sched_text_begin(&text);
        moat_sched_text_put(&text, "moat-sched: nobody waits for task %llu",
                            (unsigned long long)task->number);
        if (task->name[0] != '\0')
            moat_sched_text_put(&text, " '%s'", task->name);
        moat_sched_text_put(&text, ", which has failed: %s\n", words);
        write_unlocked(run, &text);
    }
}

void moat_report_drop(struct sched *run, const struct moat_task *task)
{
    if (task->result.kind != MOAT_EVENT_PANIC)
        return;
    run_unlock(run);
    _Unwind_DeleteException(task->result.value);
    run_lock(run);
}

void moat_report_stale(struct worker *worker, const struct moat_task *gone,
                       const struct moat_task *task)
{
    struct text text;

    if (worker->run->report_fd < 0)
        return;
    moat_sched_text_begin(&text);
    moat_sched_text_put(
        &text,
        "moat-sched: the handle of task %llu, which is gone, is used "
        "by %s",
        (unsigned long long)gone->number, is_host(task) ? "the host\n" : "");
    if (!is_host(task))
        moat_dump_one(worker, task, &text);
    write_unlocked(worker->run, &text);
}

void moat_report_deadlock(struct worker *worker)
{
    struct sched *run = worker->run;
    struct text text;

    if (run->reported || run->report_fd < 0)
        return;
    run->reported = true;
    moat_sched_text_begin(&text);
    moat_sched_text_put(
        &text, "moat-sched: every task waits, and nothing can wake one:\n");
    moat_dump_all(worker, false, &text);
    write_unlocked(run, &text);
}
