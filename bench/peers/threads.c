/*
 * threads.c: threads that switch by semaphores, on the stacks that glibc keeps.
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

static inline void switch_to(sem_t *to, sem_t *from)
{
    if (sem_post(to) != 0 || sem_wait(from) != 0)
        abort();
}

static inline void *resume(struct task *task, void *input)
{
    task->value = input;
    switch_to(&task->to_guest, &task->to_host);
    return task->value;
}

static inline void *wake(struct task *task)
{
    if (task->ends)
        pthread_exit(NULL);
    return task->value;
}

static inline void *yield(struct task *task, void *value)
{
    task->value = value;
    switch_to(&task->to_host, &task->to_guest);
    return wake(task);
}

static inline void *transfer(struct task *from, struct task *to, void *value)
{
    to->value = value;
    switch_to(&to->to_guest, &from->to_guest);
    return wake(from);
}

static void *run_entry(void *data)
{
    struct task *self = data;

    if (sem_wait(&self->to_guest) != 0)
        abort();
    if (self->ends)
        return NULL;
    self->value = self->entry(self, self->value);
    if (sem_post(&self->to_host) != 0)
        abort();
    return NULL;
}

static inline struct task *make_task(void *(*guest)(struct task *, void *))
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

static inline void drop_task(struct task *task)
{
    task->ends = true;
    if (sem_post(&task->to_guest) != 0 || pthread_join(task->thread, NULL) != 0)
        abort();
    free(task);
}

#define PEER           peer_threads
#define PEER_NAME      "threads"
#define PEER_SHARE     0.005
#define PEER_THREADED  true
#define PEER_MAX_SET   0
#define PEER_NEW_LIVES NULL
#include "bench/peers/cases.h"
