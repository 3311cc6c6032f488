/*
 * worker_pool.c: a pool of workers that survives their crashes.
 *
 * The workers take jobs from a channel. A job may overflow the stack, follow a
 * null pointer or never end: its worker traps, the supervisor reports the job
 * as failed and starts the worker again, and the other jobs get their answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include <moat/sched.h>

#define NEVER   MOAT_NO_DEADLINE
#define MS      UINT64_C(1000000)
#define WORKERS 3

struct job {
    const char *name;
    long (*fn)(long arg);
    long arg;
};

struct answer {
    int job;
    long value;
    const char *failure; /* NULL: none */
};

/* A worker, and the job that it has; -1: none. */
struct worker {
    int job;
};

static moat_supervisor *supervisor;
static moat_chan *jobs, *answers;
static struct worker workers[WORKERS];

static void check(moat_status status)
{
    if (status != MOAT_OK) {
        fprintf(stderr, "%s\n", moat_status_str(status));
        exit(1);
    }
}

/* ---- Jobs ---------------------------------------------------------------- */

static long factorial(long n)
{
    return n <= 1 ? 1 : n * factorial(n - 1);
}

static volatile long depth;

static long recurse(long n)
{
    volatile char frame[256];

    frame[0] = (char)n;
    depth = n;
    return depth >= 0 ? recurse(n + 1) + frame[0] : 0;
}

static long *volatile nowhere;

static long store(long n)
{
    *nowhere = n;
    return n;
}

static volatile long ever = 1;

static long spin(long n)
{
    while (ever != 0)
        n++;
    return n;
}

static const struct job list[] = {
    {"5!", factorial, 5},      {"recursion", recurse, 0},
    {"10!", factorial, 10},    {"null pointer", store, 1},
    {"endless loop", spin, 0}, {"7!", factorial, 7},
    {"recursion", recurse, 0}, {"20!", factorial, 20},
};

#define JOBS ((int)(sizeof list / sizeof list[0]))

/* ---- The pool ------------------------------------------------------------ */

static void *work(void *arg)
{
    struct worker *self = arg;
    struct answer answer = {.failure = NULL};

    while (moat_chan_recv(jobs, &answer.job, NEVER) == MOAT_OK) {
        self->job = answer.job;
        answer.value = list[answer.job].fn(list[answer.job].arg);
        self->job = -1;
        check(moat_chan_send(answers, &answer, NEVER));
    }
    return NULL;
}

/* In the supervisor's task: children have the numbers 1, 2, 3. */
static void report(void *arg, const moat_supervisor_event *event)
{
    struct worker *worker = &workers[event->child - 1];
    struct answer answer = {worker->job, 0,
                            moat_trap_kind_str(event->result.trap.kind)};

    (void)arg;
    if (worker->job >= 0)
        check(moat_chan_send(answers, &answer, NEVER));
    worker->job = -1;
}

static void start_pool(void)
{
    moat_supervisor_options options = MOAT_SUPERVISOR_OPTIONS_INIT;
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_task_options task = MOAT_TASK_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;

    options.intensity = 100;
    options.backoff_ns = MS;
    options.report = report;
    check(moat_supervisor_create(&supervisor, &options));
    limits.resume_cpu_ns = 50 * MS; /* from one wait to the next */
    task.limits = &limits;
    spec.name = "worker";
    spec.fn = work;
    spec.options = &task;
    spec.restart = MOAT_RESTART_TRANSIENT; /* no restart after the last job */
    for (int i = 0; i < WORKERS; i++) {
        workers[i].job = -1;
        spec.arg = &workers[i];
        check(moat_supervisor_add(supervisor, &spec, NULL));
    }
    check(moat_task_spawn(NULL, moat_supervisor_task, supervisor, NULL, NULL));
}

static void *send_jobs(void *arg)
{
    for (int i = 0; i < JOBS; i++)
        check(moat_chan_send(jobs, &i, NEVER));
    moat_chan_close(jobs);
    return arg;
}

static void *run(void *arg)
{
    struct answer received[JOBS], answer;
    moat_supervisor_info info = MOAT_SUPERVISOR_INFO_INIT;

    check(moat_chan_create(&jobs, sizeof(int), 0));
    check(moat_chan_create(&answers, sizeof(struct answer), JOBS));
    start_pool();
    check(moat_task_spawn(NULL, send_jobs, NULL, NULL, NULL));
    for (int i = 0; i < JOBS; i++) {
        check(moat_chan_recv(answers, &answer, NEVER));
        received[answer.job] = answer;
    }
    for (int i = 0; i < JOBS; i++)
        if (received[i].failure != NULL)
            printf("%s: %s\n", list[i].name, received[i].failure);
        else
            printf("%s = %ld\n", list[i].name, received[i].value);
    check(moat_supervisor_get_info(supervisor, &info));
    printf("%d failures\n", (int)info.failures);
    return arg;
}

int main(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.threads = 2;
    /* It returns when the supervisor has, too: after its last worker. */
    check(moat_sched_run(&options, run, NULL, NULL));
    moat_supervisor_destroy(supervisor);
    moat_chan_destroy(jobs);
    moat_chan_destroy(answers);
    return 0;
}
