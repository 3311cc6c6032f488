/*
 * switch_threads.c: two threads that hand over by a semaphore each, which is
 * what a guest without coroutines would be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

struct task {
    pthread_t thread;
    sem_t to_guest, to_host;
    void *(*entry)(struct task *, void *);
    void *value;
    bool ends;
};

static inline void hand_over(sem_t *to, sem_t *from)
{
    if (sem_post(to) != 0 || sem_wait(from) != 0)
        abort();
}

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    hand_over(&task->to_guest, &task->to_host);
    return task->value;
}

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    hand_over(&task->to_host, &task->to_guest);
    if (task->ends)
        pthread_exit(NULL);
    return task->value;
}

static void *run_entry(void *data)
{
    struct task *self = data;

    if (sem_wait(&self->to_guest) != 0)
        abort();
    if (!self->ends)
        self->entry(self, self->value);
    return NULL;
}

static struct task *make_task(void *(*guest)(struct task *, void *))
{
    struct task *made = calloc(1, sizeof(*made));

    if (made == NULL || sem_init(&made->to_guest, 0, 0) != 0 ||
        sem_init(&made->to_host, 0, 0) != 0)
        abort();
    made->entry = guest;
    if (pthread_create(&made->thread, NULL, run_entry, made) != 0)
        abort();
    return made;
}

static void drop_task(struct task *task)
{
    task->ends = true;
    if (sem_post(&task->to_guest) != 0 || pthread_join(task->thread, NULL) != 0)
        abort();
    free(task);
}

#include "bench/switch_cases.h"

const struct bench_engine engine_threads = {"threads", 0.002, 1, SWITCH_BODIES};
