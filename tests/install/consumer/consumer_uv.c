/*
 * consumer_uv.c: a user's program with a loop of libuv, in which a task
 * crashes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <uv.h>

#include <moat/uv.h>

static void *crash(void *arg)
{
    *(volatile int *)NULL = 1;
    return arg;
}

static void print(void *arg, const moat_result *result)
{
    (void)arg;
    printf("moat-uv: %s\n", moat_trap_kind_str(result->trap.kind));
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    moat_uv *tasks;

    if (moat_uv_open(loop, NULL, &tasks) != MOAT_OK ||
        moat_uv_spawn(tasks, crash, NULL, NULL, print, NULL) != MOAT_OK ||
        uv_run(loop, UV_RUN_DEFAULT) != 0 ||
        moat_uv_close(tasks, NULL, NULL) != MOAT_OK ||
        uv_run(loop, UV_RUN_DEFAULT) != 0)
        return 1;
    return uv_loop_close(loop);
}
