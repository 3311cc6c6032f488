/*
 * sched_states.c: prints the table of moat-sched in docs/states.md: the effect
 * of each function by who calls it. Each cell is tried in a process of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched_calls.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct sched_call *call;
static struct things things;
static const char *effect;
static moat_monitor *monitor;

static void make_call(void)
{
    effect = call->make(&things);
}

/* ---- Callers ------------------------------------------------------------ */

static void in_task(void)
{
    make_call();
}

static void *in_thread(void *arg)
{
    make_call();
    return arg;
}

/* A thread that is in no run, while this one's has the things. */
static void outside(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, in_thread, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        abort();
}

static void *in_coroutine(moat_co *self, void *input)
{
    (void)self;
    make_call();
    return input;
}

static void in_a_coroutine_of_a_task(void)
{
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, in_coroutine, NULL) != MOAT_OK ||
        moat_co_resume(co, NULL, &event) != MOAT_OK)
        abort();
}

static void *in_host_call(void *arg)
{
    make_call();
    return arg;
}

static void in_a_host_call(void)
{
    (void)moat_call_on_parent(moat_co_current(), in_host_call, NULL);
}

static void with_null(void)
{
    things = (struct things){.is_null = true};
    make_call();
}

/* ---- A task that is being unwound --------------------------------------- */

static void call_in_cleanup(const int *unused)
{
    (void)unused;
    make_call();
}

static void *wait_with_cleanup(void *arg)
{
    __attribute__((cleanup(call_in_cleanup))) int cleaned = 0;

    sched_things_make(&things);
    (void)cleaned;
    (void)moat_sleep(1000000000);
    return arg;
}

static void in_an_unwound_task(void)
{
    moat_task *task;

    if (moat_task_spawn(NULL, wait_with_cleanup, NULL, NULL, &task) !=
            MOAT_OK ||
        moat_sleep(100) != MOAT_OK || moat_task_cancel(task) != MOAT_OK ||
        moat_task_join(task, MOAT_NO_DEADLINE, NULL) != MOAT_OK)
        abort();
}

static const struct caller {
    const char *name;
    void (*try)(void);
} callers[] = {
    {"a task", in_task},
    {"a task that is being unwound", in_an_unwound_task},
    {"a coroutine in a task", in_a_coroutine_of_a_task},
    {"a host call of a task", in_a_host_call},
    {"another thread", outside},
    {"a task, with NULL", with_null},
};

/* ---- The table ---------------------------------------------------------- */

static const struct caller *caller;

static void *try_one(void *arg)
{
    if (caller->try != in_an_unwound_task)
        sched_things_make(&things);
    things.monitor = monitor;
    caller->try();
    (void)moat_sleep(10);
    if (effect == NULL)
        effect = things.seen ? call->effect : "no effect";
    return arg;
}

static _Noreturn void fill_in(int result)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.clock = MOAT_CLOCK_TEST;
    options.report_fd = -1;
    if (moat_monitor_create(&monitor) != MOAT_OK ||
        moat_sched_run(&options, try_one, NULL, NULL) != MOAT_OK)
        abort();
    (void)!write(result, effect, strlen(effect));
    _exit(0);
}

static void print_cell(void)
{
    char text[64] = "";
    int ends[2];
    pid_t child;

    (void)fflush(stdout);
    if (pipe(ends) != 0 || (child = fork()) < 0)
        exit(1);
    if (child == 0)
        fill_in(ends[1]);
    (void)close(ends[1]);
    if (read(ends[0], text, sizeof text - 1) <= 0)
        (void)snprintf(text, sizeof text, "the process died");
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    printf(" %s |", text);
}

int main(void)
{
    printf("| |");
    for (size_t i = 0; i < COUNT(callers); i++)
        printf(" %s |", callers[i].name);
    printf("\n|---|");
    for (size_t i = 0; i < COUNT(callers); i++)
        printf("---|");
    printf("\n");
    for (size_t c = 0; c < sched_call_count; c++) {
        call = &sched_calls[c];
        printf("| `%s` |", call->name);
        for (size_t i = 0; i < COUNT(callers); i++) {
            caller = &callers[i];
            print_cell();
        }
        printf("\n");
    }
    return 0;
}
