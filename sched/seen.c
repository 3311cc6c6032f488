/*
 * seen.c: what of a run can be seen from outside: by debuggers, by a monitor,
 * by a signal, in a trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sched/seen.h"
#include "sched/debug.h"
#include "sched/gather.h"
#include "sched/monitor.h"
#include "sched/quit.h"
#include "sched/trace.h"

#define TRACE_EVENTS 65536

moat_status moat_seen_open(struct sched *run, const moat_sched_options *options)
{
    size_t events =
        options->trace_events != 0 ? options->trace_events : TRACE_EVENTS;

    moat_runs_add(run);
    if (options->trace_fd != 0 && !moat_events_open(run, events))
        return MOAT_E_NOMEM;
    if (options->monitor == NULL && options->dump_signal == 0)
        return MOAT_OK;
    run->gather = moat_gather_open(run);
    if (run->gather == NULL)
        return MOAT_E_NOMEM;
    moat_monitor_open(options->monitor, run);
    return options->dump_signal != 0
               ? moat_quit_open(&run->quit, run, options->dump_signal)
               : MOAT_OK;
}

void moat_seen_close(struct sched *run, const moat_sched_options *options)
{
    if (run->gather != NULL)
        moat_gather_shut(run->gather);
    moat_quit_close(run->quit);
    moat_monitor_shut(options->monitor);
    if (run->gather != NULL)
        moat_gather_free(run->gather);
    moat_events_close(run);
    moat_runs_remove(run);
}

void moat_seen_write(struct sched *run, const moat_sched_options *options)
{
    struct text text;

    if (options->trace_fd == 0 ||
        moat_events_write(run, options->trace_fd) == MOAT_OK ||
        run->report_fd < 0)
        return;
    moat_sched_text_begin(&text);
    moat_sched_text_put(&text, "moat-sched: the trace could not be written\n");
    (void)moat_sched_text_write(&text, run->report_fd);
}
