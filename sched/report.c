/*
 * report.c: failures that no task waited for, and deadlocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unwind.h>

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

void moat_report_unseen(const struct sched *run, const struct moat_task *task)
{
    const char *words = words_of(&task->result);
    struct text text;

    if (words != NULL && run->report_fd >= 0 && task->group == &run->root) {
        moat_text_begin(&text, run->report_fd);
        moat_text_put(&text, "moat-sched: nobody waits for task %llu",
                      (unsigned long long)task->number);
        if (task->name[0] != '\0')
            moat_text_put(&text, " '%s'", task->name);
        moat_text_put(&text, ", which has failed: %s\n", words);
        (void)moat_text_end(&text);
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

void moat_report_deadlock(struct worker *worker)
{
    struct sched *run = worker->run;
    struct text text;

    if (run->reported || run->report_fd < 0)
        return;
    run->reported = true;
    moat_text_begin(&text, run->report_fd);
    moat_text_put(&text,
                  "moat-sched: every task waits, and nothing can wake one:\n");
    (void)moat_text_end(&text);
    (void)moat_dump_write(worker, run->report_fd, false);
}
