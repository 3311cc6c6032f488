/*
 * event_loop.c: guests in a host that has an event loop already, libuv's.
 *
 * Shows: a guest that computes for long in time slices, from the loop's idle
 * callback, so that timers and sockets are served meanwhile.
 * Run: build/debug/examples/event_loop
 * Prints: what the guests came to, and that a timer was served while they ran
 * (expected/event_loop.txt).
 * Try: two guests at once; a wall-clock limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <uv.h>

#include <moat/moat.h>

#define MILLISECOND ((uint64_t)1000 * 1000)

struct job {
    uv_idle_t idle; /* called whenever the loop has nothing else to do */
    moat_co *co;
    const char *name;
    int number;
    int slices, result;
};

static int ticks;

/* ---- On the coroutine ---- */

/* Slow, and for ever if the number is negative. */
static void *count_primes(moat_co *self, void *input)
{
    struct job *job = input;

    (void)self;
    for (int n = 2; n != job->number; n++) {
        int divisor = 2;

        while (divisor < n && n % divisor != 0)
            divisor++;
        job->result += divisor == n;
    }
    return job;
}

/* ---- On the loop ---- */

static void finish(struct job *job)
{
    moat_co_destroy(job->co);
    uv_close((uv_handle_t *)&job->idle, NULL);
}

static void run_slice(uv_idle_t *idle)
{
    struct job *job = idle->data;
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;
    moat_event event;
    moat_status status = moat_co_resume(job->co, job, &event);

    if (status != MOAT_OK) {
        fprintf(stderr, "event_loop: %s\n", moat_error_str(status));
        finish(job);
        return;
    }
    job->slices++;
    if (event.kind == MOAT_EVENT_PREEMPT)
        return;
    if (moat_co_trap_info(job->co, &trap) == MOAT_OK)
        printf("%s: %s\n", job->name, moat_trap_kind_str(trap.kind));
    else
        printf("%s: %d primes\n", job->name, job->result);
    finish(job);
}

static int start(uv_loop_t *loop, struct job *job)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    limits.slice_ns = 2 * MILLISECOND;
    limits.total_cpu_ns = 300 * MILLISECOND;
    options.limits = &limits;
    if (moat_co_create(&job->co, count_primes, &options) != MOAT_OK ||
        uv_idle_init(loop, &job->idle) != 0)
        return 0;
    job->idle.data = job;
    return uv_idle_start(&job->idle, run_slice) == 0;
}

static void tick(uv_timer_t *timer)
{
    (void)timer;
    ticks++;
}

int main(void)
{
    struct job jobs[] = {{.name = "a short job", .number = 1000},
                         {.name = "an endless job", .number = -1}};
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t timer;

    if (uv_timer_init(loop, &timer) != 0 ||
        uv_timer_start(&timer, tick, 1, 1) != 0)
        return 1;
    uv_unref((uv_handle_t *)&timer); /* The loop ends with the last job. */
    for (int i = 0; i < 2; i++)
        if (!start(loop, &jobs[i]))
            return 1;
    uv_run(loop, UV_RUN_DEFAULT);
    printf("in many slices: %s\n", jobs[1].slices > 10 ? "yes" : "no");
    printf("the timer was served meanwhile: %s\n", ticks > 10 ? "yes" : "no");
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) != 0;
}
