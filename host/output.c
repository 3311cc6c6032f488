/*
 * output.c: results for people, and the summary.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <string.h>

#include "escape.h"
#include "quantity.h"
#include "usage.h"

/* Several scripts' lines are told apart by the name. */
static const char *name_for_lines(const struct result *result,
                                  const struct run_options *options)
{
    return options->file_count > 1 ? result->file : NULL;
}

static void write_captured(const struct result *result,
                           const struct run_options *options)
{
    if (options->quiet)
        return;
    if (options->raw)
        fwrite(result->output, 1, result->output_bytes, stdout);
    else
        escape_write_lines(stdout, name_for_lines(result, options), "| ",
                           result->output, result->output_bytes);
}

static void write_indented(FILE *out, const char *text, size_t bytes)
{
    escape_write_lines(out, NULL, "    ", text, bytes);
}

/* The options are called --cpu and --wall. */
static bool is_of_cpu(moat_limit limit)
{
    return limit == MOAT_LIMIT_RESUME_CPU || limit == MOAT_LIMIT_TOTAL_CPU;
}

static void write_restart(FILE *out, const struct result *result)
{
    char time[32];

    if (result->run != 0)
        fprintf(out, ", run %u", result->run);
    if (result->again)
        fprintf(out, ", next in %s",
                quantity_time_text(result->restart_in_ns, time, sizeof(time)));
    if (result->given_up)
        fputs(", too many restarts", out);
}

static void write_verdict(FILE *out, const struct result *result,
                          const struct run_options *options)
{
    char time[32], memory[32], stack[32];

    escape_write_name(out, result->file);
    fprintf(out, ": %s (time %s, memory %s", verdict_text(result),
            quantity_time_text(result->wall_ns, time, sizeof(time)),
            quantity_size_text(result->memory_peak, memory, sizeof(memory)));
    if (options->stack_use)
        fprintf(out, ", stack %s",
                quantity_size_text(result->stack_used, stack, sizeof(stack)));
    if (result->limit_ns != 0)
        fprintf(out, ", %s limit %s", is_of_cpu(result->limit) ? "CPU" : "wall",
                quantity_time_text(result->limit_ns, time, sizeof(time)));
    write_restart(out, result);
    fputs(")\n", out);
}

static void write_core(FILE *out, const struct result *result)
{
    if (result->core == NULL || result->core_error != NULL)
        return;
    fputs("    core: ", out);
    escape_write(out, result->core, strlen(result->core));
    putc('\n', out);
}

FILE *output_stream(const struct run_options *options)
{
    return options->raw ? stderr : stdout;
}

void output_text(const struct result *result, const struct run_options *options)
{
    FILE *out = output_stream(options);

    write_captured(result, options);
    if (options->raw)
        fflush(stdout); /* before the verdict */
    if (!options->quiet && result->output_dropped != 0)
        fprintf(out, "    (%zu more bytes of output were dropped: --output)\n",
                result->output_dropped);
    write_verdict(out, result, options);
    if (result->message != NULL)
        write_indented(out, result->message, result->message_bytes);
    if (result->report != NULL)
        write_indented(out, result->report, strlen(result->report));
    write_core(out, result);
}

void output_core_error(const struct result *result)
{
    if (result->core_error != NULL)
        complain("run", "%s: %s",
                 result->core != NULL ? result->core : result->file,
                 result->core_error);
}

void tally_add(struct tally *tally, const struct result *result)
{
    const char *verdict = verdict_text(result);
    size_t i = 0;

    if (result->again) {
        tally->restarts++;
        return;
    }
    tally->scripts++;
    tally->bad += result->verdict != VERDICT_OK || result->given_up;
    while (i < tally->kind_count &&
           strcmp(tally->kinds[i].verdict, verdict) != 0)
        i++;
    if (i == sizeof(tally->kinds) / sizeof(tally->kinds[0]))
        return;
    if (i == tally->kind_count)
        tally->kinds[tally->kind_count++].verdict = verdict;
    tally->kinds[i].count++;
}

void tally_write(const struct tally *tally, FILE *out)
{
    fprintf(out, "%zu script%s:", tally->scripts,
            tally->scripts == 1 ? "" : "s");
    for (size_t i = 0; i < tally->kind_count; i++)
        fprintf(out, "%s %zu %s", i == 0 ? "" : ",", tally->kinds[i].count,
                tally->kinds[i].verdict);
    if (tally->restarts != 0)
        fprintf(out, "; %zu restart%s", tally->restarts,
                tally->restarts == 1 ? "" : "s");
    fputs("; host alive\n", out);
}

void progress_show(size_t done, size_t all, const char *file)
{
    char name[64];

    fprintf(stderr, "\r\033[K[%zu/%zu] %s", done, all,
            escape_copy(name, sizeof name, file));
    fflush(stderr);
}

void progress_clear(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
