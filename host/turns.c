/*
 * turns.c: the scripts of one thread, which take turns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "turns.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "guest.h"
#include "restart.h"
#include "usage.h"

#define SECOND UINT64_C(1000000000)

/* For one script after the other. It does not move: the guest's stack refers to
 * it. */
struct slot {
    struct guest guest;
    struct result *result;
};

static uint64_t now_ns(void)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t at)
{
    const struct timespec until = {(time_t)(at / SECOND), (long)(at % SECOND)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
           EINTR)
        continue;
}

/* Without memory there are fewer slots. Returns NULL if there is none. */
static struct slot *free_slot(struct turns *turns)
{
    struct slot *slot;

    if (turns->running < turns->made)
        return turns->slots[turns->running];
    if (turns->made == turns->max || (slot = calloc(1, sizeof *slot)) == NULL)
        return NULL;
    guest_init(&slot->guest, turns->jobs->options);
    return turns->slots[turns->made++] = slot;
}

/* The threads share the scripts evenly. */
bool turns_init(struct turns *turns, struct jobs *jobs)
{
    uint64_t max = jobs->options->at_once, threads = jobs->options->jobs;
    uint64_t part = (jobs->options->file_count + threads - 1) / threads;

    if (max > part)
        max = part;
    *turns = (struct turns){.jobs = jobs, .max = (size_t)max};
    turns->slots = calloc(turns->max, sizeof *turns->slots);
    return (turns->slots != NULL && free_slot(turns) != NULL) ||
           complain("run", "out of memory");
}

/* Finds the script to be started next; false: none is, for now. */
static bool next_script(struct turns *turns, size_t *file)
{
    struct restart *first = turns->waiting;

    if (first == NULL || first->due > now_ns())
        return jobs_next(turns->jobs, file);
    turns->waiting = first->next;
    *file = first->file;
    return true;
}

static void end_run(struct turns *turns, struct result *result)
{
    struct jobs *jobs = turns->jobs;
    struct restart *restart = jobs_restart(jobs, result->number - 1);

    if (restart != NULL)
        restart_judge(restart, &jobs->options->restart, result, now_ns());
    if (result->again)
        restart_wait(&turns->waiting, restart);
    jobs_finish(jobs, result);
}

static void begin_run(struct turns *turns, struct slot *slot, size_t file)
{
    struct restart *restart = jobs_restart(turns->jobs, file);

    slot->result = jobs_new_result(turns->jobs, file);
    if (restart != NULL)
        restart_begin(restart, slot->result, now_ns());
    if (script_begin(&slot->guest, slot->result))
        turns->running++;
    else
        end_run(turns, slot->result);
}

/* Returns whether there was one to start. */
static bool start_one(struct turns *turns)
{
    struct slot *slot = free_slot(turns);
    size_t file;

    if (slot == NULL || !next_script(turns, &file))
        return false;
    begin_run(turns, slot, file);
    return true;
}

/* The last one moves to the slot, and has its turn next. */
static void remove_slot(struct turns *turns, size_t i)
{
    struct slot *slot = turns->slots[i];

    turns->running--;
    turns->slots[i] = turns->slots[turns->running];
    turns->slots[turns->running] = slot;
}

static void run_round(struct turns *turns)
{
    size_t i = 0;

    while (i < turns->running) {
        struct slot *slot = turns->slots[i];

        if (script_step(&slot->guest, slot->result)) {
            i++;
        } else {
            remove_slot(turns, i);
            end_run(turns, slot->result);
        }
    }
}

/* A thread that runs none may wait. */
static bool may_start(struct turns *turns)
{
    if (turns->running == 0)
        jobs_wait_for_room(turns->jobs);
    return turns->running == 0 || jobs_have_room(turns->jobs);
}

bool turns_go_on(struct turns *turns)
{
    bool started = false;

    while (may_start(turns) && start_one(turns))
        started = true;
    if (turns->running == 0 && !started && turns->waiting == NULL)
        return false;
    if (turns->running == 0 && !started)
        sleep_until(turns->waiting->due);
    run_round(turns);
    return true;
}

void turns_close(struct turns *turns)
{
    for (size_t i = 0; i < turns->made; i++) {
        guest_close(&turns->slots[i]->guest);
        free(turns->slots[i]);
    }
    free(turns->slots);
}
