/*
 * pipeline.c: three stages joined by channels; the one in the middle crashes.
 *
 * The stage is an error to those who wait for it, and nothing else: its
 * deferred functions close its channels, the stages around it hear of that and
 * end, and a new stage replaces it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE

struct pipe {
    moat_chan *numbers, *squares;
};

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

/* Sends until the channel is closed. */
static void *produce(void *arg)
{
    const struct pipe *pipe = arg;
    long number = 1;

    while (moat_chan_send(pipe->numbers, &number, NEVER) == MOAT_OK)
        number++;
    printf("producer: stops at %ld\n", number);
    return NULL;
}

static void close_both(void *arg)
{
    const struct pipe *pipe = arg;

    moat_chan_close(pipe->numbers);
    moat_chan_close(pipe->squares);
}

/* Has a bug: it follows a null pointer when it meets its number. */
static void *square(void *arg)
{
    const struct pipe *pipe = arg;
    long number;

    check(moat_co_defer(moat_co_current(), close_both, arg));
    while (moat_chan_recv(pipe->numbers, &number, NEVER) == MOAT_OK) {
        long result = number * number;

        if (number == 4)
            *(volatile int *)NULL = 4;
        check(moat_chan_send(pipe->squares, &result, NEVER));
    }
    return NULL;
}

static void *consume(void *arg)
{
    const struct pipe *pipe = arg;
    long sum = 0, result;

    while (moat_chan_recv(pipe->squares, &result, NEVER) == MOAT_OK) {
        printf("consumer: %ld\n", result);
        sum += result;
    }
    return (void *)sum;
}

static void *run_pipe(void *arg)
{
    struct pipe pipe;
    moat_task *producer, *stage, *consumer;
    moat_result result;

    check(moat_chan_create(&pipe.numbers, sizeof(long), 0));
    check(moat_chan_create(&pipe.squares, sizeof(long), 0));
    check(moat_task_spawn(NULL, produce, &pipe, NULL, &producer));
    check(moat_task_spawn(NULL, square, &pipe, NULL, &stage));
    check(moat_task_spawn(NULL, consume, &pipe, NULL, &consumer));
    check(moat_task_join(stage, NEVER, &result));
    printf("stage: %s\n", moat_trap_kind_str(result.trap.kind));
    check(moat_task_join(producer, NEVER, NULL));
    check(moat_task_join(consumer, NEVER, &result));
    printf("sum: %ld\n", (long)result.value);
    moat_chan_destroy(pipe.numbers);
    moat_chan_destroy(pipe.squares);
    return arg;
}

int main(void)
{
    check(moat_sched_run(NULL, run_pipe, NULL, NULL));
    return 0;
}
