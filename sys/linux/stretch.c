/*
 * stretch.c: stretches by restartable sequences (rseq(2)).
 *
 * Before a thread that has lost its CPU, or has taken a signal, runs on, Linux
 * looks at the section that the thread's rseq area names. It clears that word
 * if the thread is not inside the section. So a section that contains no
 * instruction is a flag that lasts until the thread is interrupted.
 *
 * A kernel may leave the word alone where a thread has lost its CPU in a system
 * call. So whether a sleep clears it is tried out.
 *
 * Code with sections of its own (tcmalloc) writes the same word: the stretch is
 * then not whole. It in turn names its section anew each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sys/stretch.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/rseq.h>
#include <time.h>

/* One in which the thread changes its CPU proves nothing. */
#define TRIES    4
#define TRIED_NS 250000

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

/* Whether a sleep is reported. */
enum { UNKNOWN, TOLD, UNTOLD };
static atomic_int state;

/* The C library has registered the area if its size is not 0, for this thread
 * if it has a CPU's number. */
static bool is_registered(void)
{
    return __rseq_size != 0 && (int32_t)area()->cpu_id >= 0;
}

static bool does_a_sleep_end_it(void)
{
    const struct timespec sleep = {0, TRIED_NS};

    area()->rseq_cs = (uintptr_t)&nowhere;
    (void)nanosleep(&sleep, NULL);
    return area()->rseq_cs != (uintptr_t)&nowhere;
}

void moat_stretch_prepare(void)
{
    int found = UNTOLD;

    if (atomic_load_explicit(&state, memory_order_relaxed) != UNKNOWN)
        return;
    if (is_registered()) {
        found = TOLD;
        for (int i = 0; i < TRIES && found == TOLD; i++) {
            if (!does_a_sleep_end_it())
                found = UNTOLD;
        }
    }
    atomic_store(&state, found);
}

void moat_stretch_begin(void)
{
    if (atomic_load_explicit(&state, memory_order_relaxed) == TOLD &&
        is_registered())
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
    return is_registered() && area()->rseq_cs == (uintptr_t)&nowhere;
}
