/*
 * run.c: `moat run`: runs scripts and writes the result of each.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "commands.h"
#include "jobs.h"
#include "metrics.h"
#include "output.h"
#include "start.h"
#include "streams.h"
#include "usage.h"

#define MANY_FILES 4

/* The output so far. */
struct stream {
    const struct run_options *options;
    struct tally tally;
    struct metrics metrics;
    size_t ended; /* scripts */
    bool progress;
    bool abandon; /* a script has used up its restarts */
};

static void write_result(struct stream *stream, const struct result *result)
{
    const struct run_options *options = stream->options;

    if (stream->progress)
        progress_clear();
    if (options->json)
        output_json(result, options);
    else
        output_text(result, options);
    output_core_error(result);
    tally_add(&stream->tally, result);
    metrics_add(&stream->metrics, result);
    stream->ended += !result->again;
    stream->abandon |= result->given_up && options->restart.closed;
}

/* Writes the next result. Returns false if it is not ready. */
static bool write_next(struct stream *stream, struct jobs *jobs)
{
    struct result *result = jobs_take(jobs);

    if (result == NULL)
        return false;
    write_result(stream, result);
    jobs_free_result(jobs, result);
    return true;
}

static void show_progress(const struct stream *stream)
{
    size_t i = stream->ended;

    if (stream->progress && i < stream->options->file_count)
        progress_show(i, stream->options->file_count,
                      stream->options->files[i]);
}

/* Ends the command while scripts still run: they own nothing that outlives the
 * process. */
_Noreturn static void leave(int status)
{
    _exit(status);
}

static void write_rest(struct stream *stream, struct jobs *jobs, size_t file)
{
    struct result gone = {.file = stream->options->files[file],
                          .number = file + 1,
                          .verdict = VERDICT_INTERRUPTED};
    struct result *result;

    if (jobs_take_rest(jobs, file, &result))
        write_result(stream, result != NULL ? result : &gone);
}

/* Writes the results that finished out of order. The other scripts count as
 * interrupted. */
_Noreturn static void interrupt(struct stream *stream, struct jobs *jobs,
                                int signo, int status)
{
    const struct run_options *options = stream->options;

    jobs_begin_writing(signo);
    jobs_stop(jobs);
    while (write_next(stream, jobs))
        continue;
    for (size_t i = 0; i < options->file_count; i++)
        write_rest(stream, jobs, i);
    tally_write(&stream->tally,
                options->json ? stderr : output_stream(options));
    if (!metrics_write(&stream->metrics) && signo == 0)
        status = EXIT_NO_OUTPUT;
    (void)streams_flush("run");
    leave(status);
}

/* Results that cannot be written are no use: the rest need not run. */
static void flush_or_leave(const struct run_options *options)
{
    if (!streams_flush("run") || ferror(output_stream(options)))
        leave(EXIT_NO_OUTPUT);
}

/* Writes what is ready. */
static void write_some(struct stream *stream, struct jobs *jobs)
{
    jobs_begin_writing(0);
    while (!stream->abandon && write_next(stream, jobs))
        continue;
    flush_or_leave(stream->options);
    if (!jobs_are_done(jobs) && !metrics_write_some(&stream->metrics))
        leave(EXIT_NO_OUTPUT);
    show_progress(stream);
    jobs_end_writing();
}

static void write_end(struct stream *stream)
{
    const struct run_options *options = stream->options;

    jobs_begin_writing(0);
    if (!options->json && options->file_count > 1)
        tally_write(&stream->tally, output_stream(options));
    flush_or_leave(options);
    if (!metrics_write(&stream->metrics))
        leave(EXIT_NO_OUTPUT);
    jobs_end_writing();
}

static int write_all(struct stream *stream, struct jobs *jobs)
{
    write_some(stream, jobs);
    while (!jobs_are_done(jobs)) {
        int signo;

        if (stream->abandon)
            interrupt(stream, jobs, 0, EXIT_BAD_SCRIPT);
        signo = jobs_wait(jobs);
        if (signo != 0)
            interrupt(stream, jobs, signo, 128 + signo);
        write_some(stream, jobs);
    }
    write_end(stream);
    return stream->tally.bad != 0 ? EXIT_BAD_SCRIPT : EXIT_FINE;
}

static int run(const struct run_options *options)
{
    struct stream stream = {.options = options};
    struct jobs jobs;
    int status = EXIT_BAD_INPUT;

    stream.progress = !options->no_progress && !options->quiet &&
                      options->file_count >= MANY_FILES &&
                      isatty(STDERR_FILENO);
    if (options->raw)
        setlinebuf(stderr); /* verdicts go there, a line at a time */
    if (!metrics_open(&stream.metrics, options))
        return status;
    if (jobs_start(&jobs, options))
        status = write_all(&stream, &jobs);
    jobs_end(&jobs);
    metrics_close(&stream.metrics);
    return status;
}

int command_run(int argc, char **argv)
{
    static struct run_options options; /* too large for the stack */

    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_HELP:
        usage_write(stdout, "run");
        return EXIT_FINE;
    case OPTIONS_BAD:
        return usage_refuse("run");
    default:
        break;
    }
    if (!options_open(&options))
        return EXIT_BAD_INPUT;
    if (!engine_start("run"))
        return EXIT_BAD_INPUT;
    json_object_seed(0); /* now, before there are threads */
    return run(&options);
}
