/*
 * moat_select.c: A task waits for an item or for the end, half a second each.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

#define HALF_A_SECOND 500000000u

struct plan {
    moat_chan *items, *done;
};

static void *send(void *arg)
{
    struct plan *plan = arg;

    for (int item = 1; item <= 3; item++)
        (void)!moat_chan_send(plan->items, &item, MOAT_NO_DEADLINE);
    (void)moat_sleep(2 * HALF_A_SECOND);
    moat_chan_close(plan->done);
    return NULL;
}

static void *receive(void *arg)
{
    struct plan *plan = arg;
    int item;
    size_t chosen;
    moat_select_case cases[] = {{plan->items, false, &item},
                                {plan->done, false, NULL}};

    for (;;) {
        switch (moat_select(cases, 2, moat_now() + HALF_A_SECOND, &chosen)) {
        case MOAT_OK:
            printf("item %d\n", item);
            break;
        case MOAT_E_TIMEOUT:
            printf("still waiting\n");
            break;
        default: /* MOAT_E_CLOSED */
            printf("the end\n");
            return NULL;
        }
    }
}

static void *first(void *arg)
{
    struct plan *plan = arg;

    if (moat_chan_create(&plan->items, sizeof(int), 0) != MOAT_OK ||
        moat_chan_create(&plan->done, 0, 0) != MOAT_OK ||
        moat_task_spawn(NULL, send, plan, NULL, NULL) != MOAT_OK)
        return NULL;
    (void)receive(plan);
    moat_chan_destroy(plan->items);
    moat_chan_destroy(plan->done);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    struct plan plan = {NULL, NULL};

    options.clock = MOAT_CLOCK_TEST; /* a wait takes no time */
    return moat_sched_run(&options, first, &plan, NULL) == MOAT_OK ? 0 : 1;
}
