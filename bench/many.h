/*
 * many.h: what an engine of bench/many is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MANY_H
#define BENCH_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct many_engine {
    const char *name;
    double share; /* of the operations of a sample; slow engines do fewer */
    size_t most;  /* coroutines, of which each has a guard that is a mapping of
                     its own; 0: as many as one likes */
    /* Makes `count` coroutines, each suspended; guarded or not, where the
     * engine leaves the choice. One set at a time. */
    void (*open)(size_t count, bool guarded);
    /* Resumes each once, `rounds` times, in the order of their making; each
     * writes to its stack. Returns the sum of what came back. */
    uint64_t (*round_robin)(size_t rounds);
    /* Resumes all, once each, in the order given. */
    uint64_t (*in_order)(const uint32_t *order);
    void (*close)(void);
    /* Requests of a service: each a new coroutine that runs, waits, is resumed
     * when `active` others have come, writes to 32 KiB of its stack, and
     * returns. NULL: it is left out. */
    uint64_t (*serve)(size_t requests, size_t active);
};

#ifdef __cplusplus
extern "C" {
#endif

extern const struct many_engine many_moat;
extern const struct many_engine many_moat_batch;
extern const struct many_engine many_coroutine2;
extern const struct many_engine many_ucontext;
extern const struct many_engine many_fcontext;

/* Above this, two mappings for each are more than the system gives. */
#define MANY_GUARDED ((size_t)30000)

#ifdef __cplusplus
}
#endif

#endif
