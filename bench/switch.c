/*
 * switch.c: the round trip resume + yield and the transfer from one coroutine
 * to another, for all peers in one interleaved run; then a round trip of moat
 * with much else in the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include "bench/peers.h"

static const char *const case_names[] = {
    [CASE_FLAT] = "flat loop",
    [CASE_ACCUMULATE] = "accumulating loop",
    [CASE_ONE_DOWN] = "one call down",
    [CASE_TREE] = "tree walk, depth 14",
    [CASE_SITES] = "eight resume sites",
    [CASE_RING] = "hand-over in a ring of two"};

/* ---- All peers ---- */

static void add_peers(struct bench_peers *peers)
{
    static struct bench_peer moat_inline;

    moat_inline = peer_moat;
    moat_inline.name = "moat, inline";
    bench_add_peer(peers, &moat_inline);
    bench_add_plugin(peers, BENCH_PLUGIN_INLINE);
    bench_add_plugin(peers, BENCH_PLUGIN_OUTLINE);
    bench_add_others(peers);
}

/* Takes many short samples: a busy neighbour leaves quiet moments, but hardly a
 * quiet second. */
static void run_cases(const struct bench_peers *peers,
                      const struct bench_options *options)
{
    for (enum bench_case number = CASE_FLAT; number <= CASE_RING; number++)
        bench_check_case(peers, number, TREE_NODES + 1);
    for (enum bench_case number = CASE_FLAT; number <= CASE_RING; number++)
        bench_run_case(peers, number, case_names[number], 6e4 * options->scale,
                       options->rounds);
}

/* ---- One coroutine among unrelated things ---- */

#define CODE_AT    ((uintptr_t)0x200000000000)
#define CODE_APART ((uintptr_t)256)

#define MAX_OTHERS   ((size_t)100000)
#define MAX_MAPPINGS ((size_t)60000)
#define MAX_RANGES   ((size_t)10000)

#define REPEATS 5 /* samples of each shape before the next surroundings */

static const struct around {
    const char *name;
    size_t others, mappings, ranges;
} arounds[] = {
    {"nothing else", 0, 0, 0},
    {"10,000 others suspended", 10000, 0, 0},
    {"100,000 others suspended", MAX_OTHERS, 0, 0},
    {"60,000 mappings", 0, MAX_MAPPINGS, 0},
    {"10,000 registered ranges", 0, 0, MAX_RANGES},
    {"all of these", MAX_OTHERS, MAX_MAPPINGS, MAX_RANGES},
};
#define AROUNDS (sizeof arounds / sizeof arounds[0])

static const struct {
    const char *name;
    enum bench_case number;
} shapes[] = {{"one of many, accumulating loop", CASE_ACCUMULATE},
              {"one of many, one call down", CASE_ONE_DOWN}};
#define SHAPES (sizeof shapes / sizeof shapes[0])

static moat_code_id ids[MAX_RANGES];
static void *mappings;

static void begin(const struct around *around)
{
    moat_code code = MOAT_CODE_INIT;

    if (around->others != 0)
        peer_moat.set.open(around->others, true);
    code.size = CODE_APART;
    code.name = "compiled_function";
    for (size_t i = 0; i < around->ranges; i++) {
        code.start = (void *)(CODE_AT + i * CODE_APART);
        if (moat_code_register(&code, &ids[i]) != MOAT_OK)
            bench_stop("moat_code_register");
    }
    if (around->mappings != 0)
        mappings = bench_map_many(around->mappings);
}

static void end(const struct around *around)
{
    if (around->mappings != 0)
        bench_unmap_many(mappings, around->mappings);
    for (size_t i = 0; i < around->ranges; i++)
        if (moat_code_unregister(ids[i]) != MOAT_OK)
            bench_stop("moat_code_unregister");
    if (around->others != 0)
        peer_moat.set.close();
}

static void sample(bench_body body, size_t count, struct bench_series *series)
{
    double start;

    (void)body(count / 16 + 1); /* warm-up */
    start = bench_now_ns();
    (void)body(count);
    bench_add(series, (bench_now_ns() - start) / (double)count);
}

static void run_around(const struct bench_options *options)
{
    static struct bench_series series[SHAPES][AROUNDS];
    size_t count = (size_t)(6e3 * options->scale) + 1;

    for (size_t taken = 0; taken < options->rounds; taken += REPEATS)
        for (size_t a = 0; a < AROUNDS; a++) {
            begin(&arounds[a]);
            for (size_t i = 0; i < REPEATS * SHAPES; i++)
                sample(peer_moat.bodies[shapes[i % SHAPES].number], count,
                       &series[i % SHAPES][a]);
            end(&arounds[a]);
        }
    for (size_t s = 0; s < SHAPES; s++) {
        for (size_t a = 0; a < AROUNDS; a++)
            series[s][a].name = arounds[a].name;
        bench_report(shapes[s].name, series[s], AROUNDS, 0);
    }
}

int main(int argc, char **argv)
{
    struct bench_options options =
        bench_read_options(argc, argv, BENCH_MAX_ROUNDS);
    struct bench_peers peers = {.count = 0};

    bench_open("Round trip resume + yield, all checks on", &options);
    add_peers(&peers);
    run_cases(&peers, &options);
    run_around(&options);
    return bench_close(&options);
}
