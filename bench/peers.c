/*
 * peers.c: the list of the peers, and the samples of a case for all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/peers.h"

#include <stdlib.h>
#include <string.h>

#ifdef BENCH_FCONTEXT
static const struct bench_peer *const reference = &peer_fcontext;
#else
static const struct bench_peer *const reference = &peer_ucontext;
#endif

void bench_add_peer(struct bench_peers *peers, const struct bench_peer *peer)
{
    if (peers->count == BENCH_MAX_PEERS)
        bench_stop("BENCH_MAX_PEERS");
    if (peer == reference)
        peers->reference = peers->count;
    peers->all[peers->count++] = peer;
}

void bench_add_plugin(struct bench_peers *peers, const char *path)
{
    if (path[0] == '\0')
        return;
    bench_add_peer(peers, bench_load(path, "bench_plugin"));
}

void bench_add_others(struct bench_peers *peers)
{
#ifdef BENCH_FCONTEXT
    bench_add_peer(peers, &peer_fcontext);
    bench_add_peer(peers, &peer_fiber);
#else
    printf("Built without Boost.Context: the reference is ucontext.\n");
#endif
    bench_add_peer(peers, &peer_ucontext);
    bench_add_peer(peers, &peer_setjmp);
#ifdef BENCH_COROUTINE2
    bench_add_peer(peers, &peer_coroutine2);
#endif
#ifdef BENCH_PCL
    bench_add_peer(peers, &peer_pcl);
#endif
#ifdef BENCH_PTH
    bench_add_peer(peers, &peer_pth);
#endif
    bench_add_peer(peers, &peer_threads);
#ifdef BENCH_PLUGIN_LUA
    bench_add_plugin(peers, BENCH_PLUGIN_LUA);
#endif
#ifdef BENCH_PLUGIN_LUAJIT
    bench_add_plugin(peers, BENCH_PLUGIN_LUAJIT);
#endif
}

void bench_clear(const struct bench_peers *peers, struct bench_series *series)
{
    for (size_t i = 0; i < peers->count; i++) {
        series[i].name = peers->all[i]->name;
        series[i].count = 0;
    }
}

void bench_check_sum(const struct bench_peer *peer, uint64_t sum,
                     uint64_t expected)
{
    if (sum == expected)
        return;
    fprintf(stderr, "%s: the sum is %llu, not %llu\n", peer->name,
            (unsigned long long)sum, (unsigned long long)expected);
    exit(1);
}

/* 0 + 1 + ... + (count - 1) */
static uint64_t sum_below(uint64_t count)
{
    return count * (count - 1) / 2;
}

static uint64_t expected_sum(enum bench_case number, size_t count)
{
    switch (number) {
    case CASE_FLAT:
        return count;
    case CASE_TREE:
        return count / TREE_NODES * sum_below(TREE_NODES) +
               sum_below(count % TREE_NODES);
    case CASE_LIFE:
    case CASE_NEW_LIFE:
    case CASE_HOSTED:
        return sum_below(count) + count;
    default:
        return sum_below(count);
    }
}

static size_t eighths(double count)
{
    return ((size_t)count + 8) / 8 * 8;
}

void bench_check_case(const struct bench_peers *peers, enum bench_case number,
                      size_t count)
{
    for (size_t i = 0; i < peers->count; i++) {
        const struct bench_peer *peer = peers->all[i];

        if (peer->bodies[number] != NULL)
            bench_check_sum(peer, peer->bodies[number](count),
                            expected_sum(number, count));
    }
}

/* On new stacks most of the time is the kernel's, so no peer is slow. */
static size_t ops_of(const struct bench_peer *peer, enum bench_case number,
                     double ops)
{
    return eighths(number == CASE_NEW_LIFE ? ops : ops * peer->share);
}

static void sample(const struct bench_peer *peer, enum bench_case number,
                   size_t count, struct bench_series *series)
{
    double (*now)(void) = peer->threaded ? bench_process_ns : bench_now_ns;
    bench_body body = peer->bodies[number];
    uint64_t sum;
    double start;

    (void)body(eighths((double)count / 16)); /* warm-up */
    start = now();
    sum = body(count);
    bench_add(series, (now() - start) / (double)count);
    bench_check_sum(peer, sum, expected_sum(number, count));
}

void bench_run_case(const struct bench_peers *peers, enum bench_case number,
                    const char *name, double ops, size_t rounds)
{
    static struct bench_series series[BENCH_MAX_PEERS];
    struct bench_peers able = {.count = 0};

    for (size_t i = 0; i < peers->count; i++)
        if (peers->all[i]->bodies[number] != NULL)
            bench_add_peer(&able, peers->all[i]);
    bench_clear(&able, series);
    for (size_t round = 0; round < rounds; round++)
        for (size_t i = 0; i < able.count; i++)
            sample(able.all[i], number, ops_of(able.all[i], number, ops),
                   &series[i]);
    bench_report(name, series, able.count, able.reference);
}
