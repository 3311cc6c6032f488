/*
 * stretch.c: stretches by restartable sequences (rseq(2)).
 *
 * Before a thread that has lost its CPU, or has taken a signal, runs on, Linux
 * looks at the section that the thread's rseq area names. It clears that word
 * if the thread is not inside the section. So a section that contains no
 * instruction is a flag that lasts until the thread is interrupted.
 *
 * Code with sections of its own (tcmalloc) writes the same word: the stretch is
 * then not whole. It in turn names its section anew each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/stretch.h"

#include <stdint.h>
#include <sys/rseq.h>

/* The kernel insists on the signature before the place to abort to, which is
 * never used. */
static const struct {
    uint32_t signature;
    uint32_t place;
} abort_place = {RSEQ_SIG, 0};

static const struct rseq_cs nowhere
    __attribute__((aligned(32))) = {.start_ip = (uintptr_t)&abort_place.place,
                                    .post_commit_offset = 0,
                                    .abort_ip = (uintptr_t)&abort_place.place};

static volatile struct rseq *area(void)
{
    char *thread = __builtin_thread_pointer();

    return (volatile struct rseq *)(void *)(thread + __rseq_offset);
}

/* The C library has registered the area if its size is not 0, for this thread
 * if it has a CPU's number. */
void moat_stretch_begin(void)
{
    if (__rseq_size != 0 && (int32_t)area()->cpu_id >= 0)
        area()->rseq_cs = (uintptr_t)&nowhere;
}

/* The kernel reads the section that is named there. */
void moat_stretch_end(void)
{
    if (moat_stretch_is_whole())
        area()->rseq_cs = 0;
}

bool moat_stretch_is_whole(void)
{
    return __rseq_size != 0 && area()->rseq_cs == (uintptr_t)&nowhere;
}
