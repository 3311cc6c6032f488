/*
 * restart.c: scripts that are started again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "restart.h"

#include <stdlib.h>

void restart_begin(struct restart *restart, struct result *result, uint64_t now)
{
    restart->file = result->number - 1;
    restart->started_at = now;
    result->run = ++restart->runs;
}

static bool is_wanted(enum restart_when when, const struct result *result)
{
    return when == RESTART_ALWAYS ||
           (when == RESTART_ON_FAILURE && result->verdict != VERDICT_OK);
}

/* Counts a restart. False: there were too many within the period. */
static bool may_restart(struct restart *restart,
                        const struct restart_options *options, uint64_t now)
{
    unsigned max = (unsigned)options->max;

    if (restart->times == NULL)
        restart->times = calloc(max, sizeof *restart->times);
    if (restart->times == NULL)
        return false;
    if (restart->count == max) {
        if (now - restart->times[restart->oldest] < options->period_ns)
            return false;
        restart->oldest = (restart->oldest + 1) % max;
        restart->count--;
    }
    restart->times[(restart->oldest + restart->count++) % max] = now;
    return true;
}

/* It doubles with each restart in a row. */
static uint64_t delay_of(const struct restart_options *options,
                         unsigned in_a_row)
{
    uint64_t delay = options->delay_ns;

    for (unsigned i = 1; i < in_a_row && delay < options->delay_max_ns; i++)
        delay *= 2;
    return delay < options->delay_max_ns ? delay : options->delay_max_ns;
}

void restart_judge(struct restart *restart,
                   const struct restart_options *options, struct result *result,
                   uint64_t now)
{
    if (!is_wanted(options->when, result))
        return;
    result->again = may_restart(restart, options, now);
    result->given_up = !result->again;
    if (result->given_up)
        return;
    if (now - restart->started_at >= options->period_ns)
        restart->in_a_row = 0;
    result->restart_in_ns = delay_of(options, ++restart->in_a_row);
    restart->due = now + result->restart_in_ns;
}

void restart_wait(struct restart **list, struct restart *restart)
{
    while (*list != NULL && (*list)->due <= restart->due)
        list = &(*list)->next;
    restart->next = *list;
    *list = restart;
}

void restart_free(struct restart *restart)
{
    free(restart->times);
    restart->times = NULL;
}
