/*
 * output.c: results for people, and the sum at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output.h"

#include <string.h>

#include "quantity.h"

/* A script's output goes out as it is, and ends with a newline. */
static void write_captured(const struct result *result)
{
    if (result->output_bytes != 0) {
        fwrite(result->output, 1, result->output_bytes, stdout);
        if (result->output[result->output_bytes - 1] != '\n')
            putchar('\n');
    }
    if (result->output_dropped != 0)
        printf("    (%zu more bytes of output were dropped: --output)\n",
               result->output_dropped);
}

static void write_indented(const char *text)
{
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");

        printf("    %.*s\n", (int)bytes, text);
        text += bytes;
        if (*text == '\n')
            text++;
    }
}

void output_text(const struct result *result, bool quiet)
{
    char time[32];
    char memory[32];
    char stack[32];

    if (!quiet)
        write_captured(result);
    printf("%s: %s (time %s, memory %s, stack %s)\n", result->file,
           verdict_text(result),
           quantity_time_text(result->wall_ns, time, sizeof(time)),
           quantity_size_text(result->memory_peak, memory, sizeof(memory)),
           quantity_size_text(result->stack_used, stack, sizeof(stack)));
    if (result->message != NULL)
        write_indented(result->message);
    if (result->report != NULL)
        write_indented(result->report);
    if (result->core != NULL && result->core_error == NULL)
        printf("    core: %s\n", result->core);
}

void output_core_error(const struct result *result)
{
    if (result->core_error != NULL)
        fprintf(stderr, "moat: run: %s: %s\n",
                result->core != NULL ? result->core : result->file,
                result->core_error);
}

void tally_add(struct tally *tally, const struct result *result)
{
    const char *verdict = verdict_text(result);
    size_t i = 0;

    tally->scripts++;
    tally->bad += result->verdict != VERDICT_OK;
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
    fputs("; host alive\n", out);
}

void progress_show(size_t done, size_t all, const char *file)
{
    fprintf(stderr, "\r\033[K[%zu/%zu] %.60s", done, all, file);
    fflush(stderr);
}

void progress_clear(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
