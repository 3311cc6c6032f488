/*
 * gather.c: a dump that a thread outside of the run asks for. Only a
 * coroutine's own thread can walk it, so each worker describes its tasks, and
 * this thread those of a worker that does not come to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <time.h>

#include "sched/bells.h"
#include "sched/clock.h"
#include "sched/dump.h"
#include "sched/gather.h"

/* Looks for an answer, each so long: a second. */
#define LOOKS   20
#define LOOK_NS 50000000

struct gather {
    pthread_mutex_t lock; /* one dump at a time */
    struct sched *run;
    _Atomic bool shut;
    bool json;      /* what is asked for             */
    uint64_t round; /* the number of the dump, from 1 */
    sem_t answers;
    struct text *parts; /* one for each worker, and one for the rest */
};

struct gather *moat_gather_open(struct sched *run)
{
    struct gather *gather = calloc(1, sizeof *gather);

    if (gather == NULL)
        return NULL;
    gather->parts = calloc(run->threads + 1, sizeof *gather->parts);
    if (gather->parts == NULL) {
        free(gather);
        return NULL;
    }
    for (unsigned i = 0; i <= run->threads; i++)
        moat_sched_text_begin(&gather->parts[i]);
    gather->run = run;
    (void)pthread_mutex_init(&gather->lock, NULL);
    (void)sem_init(&gather->answers, 0, 0);
    return gather;
}

void moat_gather_shut(struct gather *gather)
{
    atomic_store(&gather->shut, true);
    (void)pthread_mutex_lock(&gather->lock);
    (void)pthread_mutex_unlock(&gather->lock);
}

void moat_gather_free(struct gather *gather)
{
    (void)sem_destroy(&gather->answers);
    (void)pthread_mutex_destroy(&gather->lock);
    free(gather->parts);
    free(gather);
}

/* ---- A worker's part ---------------------------------------------------- */

/* The run is locked, if it has a lock. */
void moat_gather_part(struct worker *worker)
{
    struct gather *gather = worker->run->gather;
    struct dump_part part = {.walker = worker};
    int asked = PART_ASKED;

    if (!atomic_compare_exchange_strong(&worker->part, &asked, PART_BEGUN))
        return;
    part.now = moat_clock_read(worker);
    part.round = gather->round;
    if (worker->run->threads > 1)
        part.home = worker;
    moat_dump_put(worker->run, &part, gather->json,
                  &gather->parts[worker - worker->run->workers]);
    atomic_store(&worker->part, PART_NONE);
    (void)sem_post(&gather->answers);
}

/* ---- The whole ---------------------------------------------------------- */

static void ask_all(struct gather *gather, bool json)
{
    struct sched *run = gather->run;

    gather->json = json;
    gather->round++;
    for (unsigned i = 0; i < run->threads; i++)
        atomic_store(&run->workers[i].part, PART_ASKED);
    moat_bells_alarm(run->bells);
}

static bool is_answered(const struct gather *gather, unsigned i)
{
    return atomic_load(&gather->run->workers[i].part) == PART_NONE;
}

static bool all_answered(const struct gather *gather)
{
    for (unsigned i = 0; i < gather->run->threads; i++)
        if (!is_answered(gather, i))
            return false;
    return true;
}

static void await_answers(struct gather *gather)
{
    for (unsigned i = 0;
         i < LOOKS && !all_answered(gather) && !atomic_load(&gather->shut);
         i++) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (sem_clockwait(&gather->answers, CLOCK_MONOTONIC, &until) == 0 &&
               !all_answered(gather))
            ;
    }
}

static uint64_t now_of(const struct sched *run)
{
    return run->clock == MOAT_CLOCK_TEST
               ? atomic_load_explicit(&run->test_now, memory_order_relaxed)
               : moat_now();
}

/* Describes the tasks of workers that have not come to it, those that no thread
 * has, and those that came to a thread after its part. A worker that has begun
 * its part holds the lock. */
static void put_rest(struct gather *gather)
{
    struct sched *run = gather->run;
    struct text *text = &gather->parts[run->threads];
    struct dump_part part = {.now = now_of(run), .round = gather->round};

    run_lock(run);
    for (unsigned i = 0; i < run->threads; i++) {
        if (is_answered(gather, i))
            continue;
        atomic_store(&run->workers[i].part, PART_NONE);
        if (!gather->json)
            moat_sched_text_put(text,
                                "thread %u does not answer: its task keeps its "
                                "turn\n",
                                i);
    }
    moat_dump_put(run, &part, gather->json, text);
    run_unlock(run);
}

static void join_parts(struct gather *gather, struct text *text)
{
    const char *between = "";

    moat_sched_text_put(text, "%s", gather->json ? "{\"tasks\":[" : "");
    for (unsigned i = 0; i <= gather->run->threads; i++) {
        struct text *part = &gather->parts[i];

        if (part->length != 0 && gather->json) {
            moat_sched_text_put(text, "%s", between);
            between = ",";
        }
        moat_sched_text_append(text, part);
        moat_sched_text_free(part);
    }
    moat_sched_text_put(text, "%s", gather->json ? "]}\n" : "");
}

/* The one worker has not begun its part, and will not. Otherwise it is there,
 * or comes at once. */
static bool is_withdrawn(struct gather *gather)
{
    int asked = PART_ASKED;

    if (atomic_compare_exchange_strong(&gather->run->workers[0].part, &asked,
                                       PART_NONE))
        return true;
    while (!all_answered(gather))
        (void)sem_wait(&gather->answers);
    return false;
}

static moat_status dump(struct gather *gather, bool json, struct text *text)
{
    struct sched *run = gather->run;

    ask_all(gather, json);
    await_answers(gather);
    if (run->locked)
        put_rest(gather);
    else if (is_withdrawn(gather))
        return atomic_load(&gather->shut) ? MOAT_E_STATE : MOAT_E_TIMEOUT;
    /* A late answer. */
    while (sem_trywait(&gather->answers) == 0)
        ;
    join_parts(gather, text);
    return text->status;
}

moat_status moat_gather_dump(struct gather *gather, bool json,
                             struct text *text)
{
    moat_status status = MOAT_E_STATE;

    (void)pthread_mutex_lock(&gather->lock);
    if (!atomic_load(&gather->shut))
        status = dump(gather, json, text);
    (void)pthread_mutex_unlock(&gather->lock);
    return status;
}
