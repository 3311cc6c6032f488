/*
 * run.c: `moat run`: hosts scripts and tells what became of each.
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

#define MANY_FILES 4

/* What has been written so far. */
struct stream {
    const struct run_options *options;
    struct tally tally;
    size_t written;
    bool progress;
};

static void write_result(struct stream *stream, struct result *result)
{
    if (stream->progress)
        progress_clear();
    if (stream->options->json)
        output_json(result);
    else
        output_text(result, stream->options->quiet);
    fflush(stdout);
    output_core_error(result);
    tally_add(&stream->tally, result);
    result_free(result);
    stream->written++;
}

static void show_progress(const struct stream *stream)
{
    size_t i = stream->written;

    if (stream->progress && i < stream->options->file_count)
        progress_show(i, stream->options->file_count,
                      stream->options->files[i]);
}

/* Those that had finished out of order are still told; the rest is counted. */
static int interrupt(struct stream *stream, struct jobs *jobs, int signo)
{
    for (size_t i = stream->written; i < stream->options->file_count; i++) {
        struct result gone = {.file = stream->options->files[i],
                              .verdict = VERDICT_INTERRUPTED};

        write_result(stream, jobs->done[i] ? &jobs->results[i] : &gone);
    }
    tally_write(&stream->tally, stream->options->json ? stderr : stdout);
    fflush(stdout);
    /* The scripts that still run hold nothing that outlives the process. */
    _exit(128 + signo);
}

static int write_all(struct stream *stream, struct jobs *jobs)
{
    while (stream->written < stream->options->file_count) {
        int signo;

        show_progress(stream);
        signo = jobs_wait(jobs);
        if (signo != 0)
            return interrupt(stream, jobs, signo);
        while (stream->written < stream->options->file_count &&
               jobs->done[stream->written])
            write_result(stream, &jobs->results[stream->written]);
    }
    if (!stream->options->json && stream->options->file_count > 1)
        tally_write(&stream->tally, stdout);
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
    if (jobs_start(&jobs, options))
        status = write_all(&stream, &jobs);
    jobs_end(&jobs);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "moat: run: writing the results failed\n");
        return EXIT_BAD_INPUT;
    }
    return status;
}

int command_run(int argc, char **argv)
{
    static struct run_options options; /* the size of its module table */

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
    json_object_seed(0); /* now, not by several threads at once */
    return run(&options);
}
