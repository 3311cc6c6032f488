/*
 * moat_cond_wait.c: A task waits until another has filled a box; a mutex whose
 * owner has trapped is put right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

static struct {
    moat_mutex mutex;
    moat_cond filled;
    int content;
} box;

static void *fill(void *arg)
{
    if (moat_mutex_lock(&box.mutex, MOAT_NO_DEADLINE) != MOAT_OK)
        return NULL;
    box.content = *(int *)arg;
    (void)moat_cond_signal(&box.filled);
    (void)moat_mutex_unlock(&box.mutex);
    return NULL;
}

static void *take(void *arg)
{
    moat_status status = moat_mutex_lock(&box.mutex, MOAT_NO_DEADLINE);

    if (moat_task_spawn(NULL, fill, arg, NULL, NULL) != MOAT_OK)
        return NULL;
    while (status == MOAT_OK && box.content == 0)
        status = moat_cond_wait(&box.filled, &box.mutex, MOAT_NO_DEADLINE);
    if (status == MOAT_E_OWNER_DIED)
        box.content = 0; /* it may be half filled */
    printf("%d, %s\n", box.content, moat_status_name(status));
    (void)moat_mutex_unlock(&box.mutex);
    return &box.content;
}

int main(void)
{
    moat_result result;
    int content = 7;

    if (moat_mutex_init(&box.mutex) != MOAT_OK ||
        moat_cond_init(&box.filled) != MOAT_OK ||
        moat_sched_run(NULL, take, &content, &result) != MOAT_OK)
        return 1;
    moat_cond_destroy(&box.filled);
    moat_mutex_destroy(&box.mutex);
    return box.content == 7 ? 0 : 1;
}
