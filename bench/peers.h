/*
 * peers.h: the coroutine implementations that the benchmarks compare.
 *
 * Each has one adapter in peers/, which all benchmarks use. The measured loops
 * are in peers/cases.h; every adapter compiles them with its own operations
 * inlined.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/bench.h"

#define BENCH_MAX_PEERS 24

#define TREE_DEPTH 14

/* Keys that a walk over the tree yields: one per inner node. */
#define TREE_NODES (((size_t)1 << TREE_DEPTH) - 1)

enum bench_case {
    CASE_FLAT,       /* round trips in a loop that does nothing else    */
    CASE_ACCUMULATE, /* round trips; the host adds up the results       */
    CASE_ONE_DOWN,   /* the same, with the yield in a separate function */
    CASE_TREE,       /* a recursive walk over a tree yields each key    */
    CASE_SITES,      /* eight resume sites in a row, one coroutine      */
    CASE_RING,       /* two coroutines transfer to each other           */
    CASE_LIFE,       /* create, run to the end, destroy; stack reused   */
    CASE_NEW_LIFE,   /* the same on a guarded stack with no old data    */
    CASE_HOSTED,     /* a life with a stack size, a name and a pointer, for
                        engines that have options                       */
    CASE_COUNT
};

/* Runs `count` operations (a multiple of eight) and returns the sum of the
 * values that came back. */
typedef uint64_t (*bench_body)(size_t count);

/* Many suspended coroutines. A peer has one set at a time. */
struct bench_set {
    size_t max; /* coroutines in a set; 0: the peer does not take part */
    /* Creates `count` coroutines and runs each to its first yield. The peers
     * that can do without guards do so if `guarded` is false. */
    void (*open)(size_t count, bool guarded);
    /* Resumes all in order of creation, `rounds` times; each writes to its
     * stack. Returns the sum of the values that came back. */
    uint64_t (*round_robin)(size_t rounds);
    /* Resumes each once, in the given order. */
    uint64_t (*in_order)(const uint32_t *order);
    void (*close)(void);
    /* Serves `requests`. Each is a new coroutine that yields, is resumed once
     * `active` more have arrived, writes to 32 KiB of its stack, and returns.
     * NULL: the peer does not take part. */
    uint64_t (*serve)(size_t requests, size_t active);
};

struct bench_peer {
    const char *name;
    double share;  /* of the operations in a sample; slow peers run fewer */
    bool threaded; /* runs on several threads, so the process is timed    */
    bench_body bodies[CASE_COUNT]; /* NULL: the peer does not take part   */
    struct bench_set set;
    void (*unmap_spares)(void); /* the stacks that this thread would reuse */
};

/* With a guard each, more stacks than this exceed the default limit on
 * mappings. */
#define BENCH_MAX_GUARDED ((size_t)30000)

#ifdef __cplusplus
extern "C" {
#endif

extern const struct bench_peer peer_moat;
extern const struct bench_peer peer_moat_batches;  /* resumes in batches   */
extern const struct bench_peer peer_moat_lines;    /* no resumes: touches the
                                                      lines that they touch */
extern const struct bench_peer peer_moat_sized;    /* creates with options */
extern const struct bench_peer peer_moat_hosted;   /* with more of them    */
extern const struct bench_peer peer_moat_prepared; /* the same, by a spec */
extern const struct bench_peer peer_moat_limited;  /* and with limits      */
extern const struct bench_peer peer_moat_zeroed;   /* zeroes used stacks   */
extern const struct bench_peer peer_fcontext;
extern const struct bench_peer peer_fiber;
extern const struct bench_peer peer_coroutine2;
extern const struct bench_peer peer_pcl;
extern const struct bench_peer peer_pth;
extern const struct bench_peer peer_setjmp; /* two pairs of calls, bare      */
extern const struct bench_peer peer_threads;
extern const struct bench_peer peer_ucontext;

/* The peer of a plug-in. */
__attribute__((
    visibility("default"))) extern const struct bench_peer bench_plugin;

/* Peers in the order of a table's rows. */
struct bench_peers {
    const struct bench_peer *all[BENCH_MAX_PEERS];
    size_t count;
    size_t reference; /* the peer that ratios refer to: fcontext, or ucontext
                         if Boost.Context is not installed */
};

void bench_add_peer(struct bench_peers *peers, const struct bench_peer *peer);
void bench_add_plugin(struct bench_peers *peers, const char *path);

/* Adds all peers except moat. */
void bench_add_others(struct bench_peers *peers);

/* Empties a series for each peer. */
void bench_clear(const struct bench_peers *peers, struct bench_series *series);

/* Stops the program if the sum that a peer returned is wrong. */
void bench_check_sum(const struct bench_peer *peer, uint64_t sum,
                     uint64_t expected);

/* Checks the sum of each peer's `count` operations. */
void bench_check_case(const struct bench_peers *peers, enum bench_case number,
                      size_t count);

/* Measures a case for all peers that take part, and reports it. `ops` is the
 * number of operations in a sample; slow peers run fewer. */
void bench_run_case(const struct bench_peers *peers, enum bench_case number,
                    const char *name, double ops, size_t rounds);

#ifdef __cplusplus
}
#endif

#endif
