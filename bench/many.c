/*
 * many.c: many coroutines at once: round robin over sets of growing size, each
 * once in random order, and the requests of a service. A peer with a mapping
 * per guard is left out of sets that exceed the limit on mappings; fcontext
 * runs those without guards.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/peers.h"

#include <stdlib.h>

static const size_t sizes[] = {16, 128, 1024, 4096, 16384, 65536, 100000};

static struct bench_peers all;

/* The peers that take part in a case, and their samples. */
struct field {
    struct bench_peers peers;
    struct bench_series series[BENCH_MAX_PEERS];
};

/* Empties the field, and enters the peers with sets of that size. */
static void enter(struct field *field, size_t coroutines, bool serving)
{
    field->peers.count = field->peers.reference = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct bench_set *set = &all.all[i]->set;

        if (coroutines <= set->max && (!serving || set->serve != NULL))
            bench_add_peer(&field->peers, all.all[i]);
    }
    bench_clear(&field->peers, field->series);
}

static void report(const char *name, struct field *field)
{
    bench_report(name, field->series, field->peers.count,
                 field->peers.reference);
}

static void sample_round_robin(const struct bench_peer *peer, size_t count,
                               double ops, struct bench_series *series)
{
    size_t rounds = (size_t)(ops * peer->share / (double)count) + 1;
    uint64_t sum;
    double start;

    peer->set.open(count, count <= BENCH_MAX_GUARDED);
    (void)peer->set.round_robin(1); /* warm-up */
    start = bench_now_ns();
    sum = peer->set.round_robin(rounds);
    bench_add(series,
              (bench_now_ns() - start) / ((double)rounds * (double)count));
    peer->set.close();
    bench_check_sum(peer, sum, (uint64_t)rounds * count * (count + 1) / 2);
}

static void run_round_robin(size_t count, const struct bench_options *options)
{
    static struct field field;
    char name[64];

    enter(&field, count, false);
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t i = 0; i < field.peers.count; i++)
            sample_round_robin(field.peers.all[i], count, 2e6 * options->scale,
                               &field.series[i]);
    snprintf(name, sizeof name, "round robin over %zu%s", count,
             count > BENCH_MAX_GUARDED ? ", moat guarded" : "");
    report(name, &field);
}

static void sample_service(const struct bench_peer *peer, double ops,
                           size_t active, struct bench_series *series)
{
    size_t requests = (size_t)(ops * peer->share) + active;
    double start = bench_now_ns();
    uint64_t sum = peer->set.serve(requests, active);
    uint64_t first = active, last = active + requests - 1;

    bench_add(series, (bench_now_ns() - start) / (double)requests);
    bench_check_sum(peer, sum, (first + last) * requests / 2);
}

static void run_service(const struct bench_options *options)
{
    static struct field field;
    size_t active = 10000;

    enter(&field, active, true);
    for (size_t round = 0; round < options->rounds; round++)
        for (size_t i = 0; i < field.peers.count; i++)
            sample_service(field.peers.all[i], 1e6 * options->scale, active,
                           &field.series[i]);
    report("service, 10000 active, 32 KiB each", &field);
}

/* The order is the same for all peers and runs. */
static void shuffle(uint32_t *order, size_t count)
{
    uint64_t state = 88172645463325252u;

    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t other;
        uint32_t held = order[i];

        state ^= state << 13; /* xorshift64 */
        state ^= state >> 7;
        state ^= state << 17;
        other = state % (i + 1);
        order[i] = order[other];
        order[other] = held;
    }
}

/* One set at a time: the sets of all peers would not fit into memory. */
static void sample_order(const struct bench_peer *peer, const uint32_t *order,
                         size_t count, size_t rounds,
                         struct bench_series *series)
{
    peer->set.open(count, count <= BENCH_MAX_GUARDED);
    (void)peer->set.in_order(order); /* warm-up */
    for (size_t round = 0; round < rounds; round++) {
        double start = bench_now_ns();
        uint64_t sum = peer->set.in_order(order);

        bench_add(series, (bench_now_ns() - start) / (double)count);
        bench_check_sum(peer, sum, (uint64_t)count * (count + 1) / 2);
    }
    peer->set.close();
}

static void run_order(const struct bench_options *options)
{
    static struct field field;
    size_t count = options->scale < 1e-5 ? 10 : (size_t)(1e6 * options->scale);
    uint32_t *order = malloc(count * sizeof *order);
    char name[64];

    if (order == NULL)
        bench_stop("malloc");
    shuffle(order, count);
    enter(&field, count, false);
    for (size_t i = 0; i < field.peers.count; i++)
        sample_order(field.peers.all[i], order, count, options->rounds,
                     &field.series[i]);
    snprintf(name, sizeof name, "random order over %zu", count);
    report(name, &field);
    free(order);
}

int main(int argc, char **argv)
{
    struct bench_options options = bench_read_options(argc, argv, 15);

    bench_open("Many coroutines, each writing to its stack", &options);
    bench_add_peer(&all, &peer_moat_batches);
    bench_add_peer(&all, &peer_moat);
    bench_add_plugin(&all, BENCH_PLUGIN_INLINE);
    bench_add_plugin(&all, BENCH_PLUGIN_OUTLINE);
    bench_add_peer(&all, &peer_moat_lines);
    bench_add_others(&all);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        run_round_robin(sizes[i], &options);
    run_order(&options);
    run_service(&options);
    return bench_close(&options);
}
