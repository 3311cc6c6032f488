/*
 * call.h: what an engine of bench/call is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CALL_H
#define BENCH_CALL_H

#include <stddef.h>
#include <stdint.h>

/* Makes a coroutine, runs it to its end (it returns its input and one), and
 * destroys it, `count` times; returns the sum of the results. */
typedef uint64_t (*call_body)(size_t count);

struct call_engine {
    const char *name;
    call_body cached; /* on a stack that was used before              */
    call_body fresh;  /* on a guarded stack without old contents      */
    /* NULL: it has none, or it is as another engine's */
    double share; /* of the lives of a cached sample; slow ones live fewer */
    int threaded; /* its work is done by more threads than this one        */
};

#ifdef __cplusplus
extern "C" {
#endif

extern const struct call_engine call_moat;
extern const struct call_engine call_moat_sized;
extern const struct call_engine call_moat_zeroed;
extern const struct call_engine call_fcontext;
extern const struct call_engine call_fiber;
extern const struct call_engine call_coroutine2;
extern const struct call_engine call_pcl;
extern const struct call_engine call_pth;
extern const struct call_engine call_ucontext;
extern const struct call_engine call_threads;

#ifdef __cplusplus
}
#endif

#endif
