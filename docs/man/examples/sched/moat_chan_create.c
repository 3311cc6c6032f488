/*
 * moat_chan_create.c: A task sends numbers to another and closes the channel
 * after the last one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

static void *count(void *arg)
{
    moat_chan *chan = arg;

    for (int i = 1; i <= 3; i++)
        if (moat_chan_send(chan, &i, MOAT_NO_DEADLINE) != MOAT_OK)
            break;
    moat_chan_close(chan);
    return NULL;
}

static void *first(void *sum)
{
    moat_chan *chan;
    int number;

    if (moat_chan_create(&chan, sizeof number, 0) != MOAT_OK)
        return NULL;
    if (moat_task_spawn(NULL, count, chan, NULL, NULL) == MOAT_OK)
        while (moat_chan_recv(chan, &number, MOAT_NO_DEADLINE) == MOAT_OK) {
            printf("%d\n", number);
            *(int *)sum += number;
        }
    moat_chan_destroy(chan);
    return NULL;
}

int main(void)
{
    int sum = 0;
    moat_status status = moat_sched_run(NULL, first, &sum, NULL);

    return status != MOAT_OK || sum != 6;
}
