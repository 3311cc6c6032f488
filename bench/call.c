/*
 * call.c: a coroutine's whole life, create + run + destroy, for all peers in
 * one interleaved run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/peers.h"

int main(int argc, char **argv)
{
    struct bench_options options =
        bench_read_options(argc, argv, BENCH_MAX_ROUNDS);
    struct bench_peers peers = {.count = 0};

    bench_open("Create + run to the end + destroy", &options);
    bench_add_peer(&peers, &peer_moat);
    bench_add_peer(&peers, &peer_moat_sized);
    bench_add_plugin(&peers, BENCH_PLUGIN_INLINE);
    bench_add_plugin(&peers, BENCH_PLUGIN_OUTLINE);
    bench_add_peer(&peers, &peer_moat_hosted);
    bench_add_peer(&peers, &peer_moat_limited);
    bench_add_peer(&peers, &peer_moat_zeroed);
    bench_add_others(&peers);
    /* Short samples, as in switch.c. */
    bench_run_case(&peers, CASE_LIFE, "stack used before", 3e4 * options.scale,
                   options.rounds);
    bench_run_case(&peers, CASE_NEW_LIFE, "guarded stack, no old contents",
                   600 * options.scale, options.rounds);
    bench_run_case(&peers, CASE_HOSTED, "with a size, a name and a pointer",
                   3e4 * options.scale, options.rounds);
    return bench_close(&options);
}
