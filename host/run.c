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
#include "output.h"
#include "start.h"
#include "streams.h"
#include "usage.h"

#define MANY_FILES 4

/* The output so far. */
struct stream {
    const struct run_options *options;
    struct tally tally;
    size_t written;
    bool progress;
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
    stream->written++;
}

/* Writes the results that are ready, up to the first that is not. */
static void write_ready(struct stream *stream, struct jobs *jobs)
{
    size_t i;

    while ((i = stream->written) < stream->options->file_count &&
           jobs_result(jobs, i) != NULL) {
        write_result(stream, jobs_result(jobs, i));
        jobs_free_result(jobs, i);
    }
}

static void show_progress(const struct stream *stream)
{
    size_t i = stream->written;

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

/* Writes the results that finished out of order. The other scripts count as
 * interrupted. */
_Noreturn static void interrupt(struct stream *stream, struct jobs *jobs,
                                int signo)
{
    jobs_begin_writing(signo);
    while (stream->written < stream->options->file_count) {
        struct result gone = {.file = stream->options->files[stream->written],
                              .verdict = VERDICT_INTERRUPTED};
        const struct result *result = jobs_result(jobs, stream->written);

        write_result(stream, result != NULL ? result : &gone);
    }
    tally_write(&stream->tally, stream->options->json
                                    ? stderr
                                    : output_stream(stream->options));
    (void)streams_flush("run");
    leave(128 + signo);
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
    write_ready(stream, jobs);
    flush_or_leave(stream->options);
    show_progress(stream);
    jobs_end_writing();
}

static void write_end(const struct stream *stream)
{
    const struct run_options *options = stream->options;

    jobs_begin_writing(0);
    if (!options->json && options->file_count > 1)
        tally_write(&stream->tally, output_stream(options));
    flush_or_leave(options);
    jobs_end_writing();
}

static int write_all(struct stream *stream, struct jobs *jobs)
{
    write_some(stream, jobs);
    while (stream->written < stream->options->file_count) {
        int signo = jobs_wait(jobs, stream->written);

        if (signo != 0)
            interrupt(stream, jobs, signo);
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
    if (jobs_start(&jobs, options))
        status = write_all(&stream, &jobs);
    jobs_end(&jobs);
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
