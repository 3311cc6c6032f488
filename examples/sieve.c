/*
 * sieve.c: prime numbers by a chain of filters, each a task.
 *
 *   sieve [COUNT [FILTERS]]
 *
 * Prints the COUNT-th prime number. Each filter takes the first number that
 * reaches it for its prime and passes on what that does not divide. The chain
 * has at most FILTERS: what is smaller than the square of the last filter's
 * prime and has passed them all is prime.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER MOAT_NO_DEADLINE

struct chain {
    long count, filters;
};

struct filter {
    moat_chan *in, *out;
    long prime;
};

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

static moat_chan *channel(void)
{
    moat_chan *chan;

    check(moat_chan_create(&chan, sizeof(long), 0));
    return chan;
}

static void *generate(void *arg)
{
    long number = 2;

    while (moat_chan_send(arg, &number, NEVER) == MOAT_OK)
        number++;
    return NULL;
}

static void *filter(void *arg)
{
    const struct filter *self = arg;
    long number;

    while (moat_chan_recv(self->in, &number, NEVER) == MOAT_OK)
        if (number % self->prime != 0)
            check(moat_chan_send(self->out, &number, NEVER));
    return NULL;
}

static void *find(void *arg)
{
    const struct chain *chain = arg;
    struct filter *filters = calloc((size_t)chain->filters, sizeof *filters);
    moat_chan *first = channel(), *last = first;
    moat_group *group;
    long prime = 0;

    if (filters == NULL)
        check(MOAT_E_NOMEM);
    check(moat_group_open(&group, 0));
    check(moat_task_spawn(group, generate, first, NULL, NULL));
    for (long i = 0; i < chain->count; i++) {
        check(moat_chan_recv(last, &prime, NEVER));
        if (i >= chain->filters)
            continue;
        filters[i] = (struct filter){last, channel(), prime};
        check(moat_task_spawn(group, filter, &filters[i], NULL, NULL));
        last = filters[i].out;
    }
    moat_group_close(group); /* cancels them all */
    for (long i = 0; i < chain->filters && i < chain->count; i++)
        moat_chan_destroy(filters[i].out);
    moat_chan_destroy(first);
    free(filters);
    return (void *)prime;
}

int main(int argc, char **argv)
{
    struct chain chain = {100, 100};
    moat_result result;

    if (argc > 1)
        chain.count = strtol(argv[1], NULL, 10);
    if (argc > 2)
        chain.filters = strtol(argv[2], NULL, 10);
    if (chain.count < 1 || chain.filters < 1) {
        fprintf(stderr, "usage: sieve [COUNT [FILTERS]]\n");
        return 2;
    }
    check(moat_sched_run(NULL, find, &chain, &result));
    printf("%ld\n", (long)result.value);
    return 0;
}
