/*
 * switch.h: what an engine of bench/switch is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SWITCH_H
#define BENCH_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#define TREE_DEPTH 14

/* Keys of a walk over the tree: one per inner and outer node. */
#define TREE_NODES (((size_t)1 << TREE_DEPTH) - 1)

enum bench_case {
    CASE_FLAT,       /* for (;;) yield: the loop does nothing else        */
    CASE_ACCUMULATE, /* the host adds up what comes back                  */
    CASE_ONE_DOWN,   /* the yield is in a function of its own             */
    CASE_TREE,       /* a recursive walk over a tree yields each key      */
    CASE_SITES,      /* eight resume sites in a row, one coroutine        */
    CASE_RING,       /* two coroutines hand over to each other            */
    CASE_COUNT
};

/* Runs `count` (a multiple of eight) round trips or hand-overs, and returns the
 * sum of what came back, so that the results of the engines can be compared. */
typedef uint64_t (*bench_body)(size_t count);

struct bench_engine {
    const char *name;
    double share; /* of the operations of a sample; slow engines do fewer */
    int threaded; /* its work is done by more threads than this one       */
    bench_body bodies[CASE_COUNT]; /* NULL: it cannot */
};

#ifdef __cplusplus
extern "C" {
#endif

extern const struct bench_engine engine_moat_inline;
extern const struct bench_engine engine_fcontext;
extern const struct bench_engine engine_fiber;
extern const struct bench_engine engine_ucontext;
extern const struct bench_engine engine_coroutine2;
extern const struct bench_engine engine_pcl;
extern const struct bench_engine engine_pth;
extern const struct bench_engine engine_threads;

/* fcontext's accumulating loop; leaves no stack behind for the thread. */
uint64_t fcontext_in_a_thread(size_t count);

/* One coroutine of moat's, the more there is around it. */
struct bench_options;
void run_around(const struct bench_options *options);

#ifdef __cplusplus
}
#endif

#endif
