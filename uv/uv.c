/*
 * uv.c: a run of tasks, driven by a loop of libuv.
 *
 * Three handles: `poll` watches the run's descriptor, `timer` has its next
 * deadline, and `idle`, which makes the loop look at its events without a wait,
 * is active while tasks can run. Only `poll` keeps the loop alive, and only
 * while there are tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include <uv.h>

#include <moat/uv.h>

#define MS UINT64_C(1000000)

struct moat_uv {
    moat_sched *run;
    uv_thread_t thread;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t idle;
    unsigned handles; /* that the loop has not closed */
    bool in_round;
    bool closing; /* after the round, if it is in one */
    void (*closed)(void *arg);
    void *arg;
};

static bool is_hosts(const moat_uv *uv)
{
    uv_thread_t thread = uv_thread_self();

    return moat_co_current() == NULL &&
           uv_thread_equal(&thread, &uv->thread) != 0;
}

/* ---- Close --------------------------------------------------------------- */

static void on_close(uv_handle_t *handle)
{
    moat_uv *uv = handle->data;
    void (*closed)(void *arg) = uv->closed;
    void *arg = uv->arg;

    if (--uv->handles != 0)
        return;
    free(uv);
    if (closed != NULL)
        closed(arg);
}

/* The descriptor must be out of the loop before the run closes it. */
static void close_all(moat_uv *uv)
{
    (void)uv_poll_stop(&uv->poll);
    (void)moat_sched_close(uv->run);
    uv->run = NULL;
    uv_close((uv_handle_t *)&uv->poll, on_close);
    uv_close((uv_handle_t *)&uv->timer, on_close);
    uv_close((uv_handle_t *)&uv->idle, on_close);
}

moat_status moat_uv_close(moat_uv *uv, void (*closed)(void *arg), void *arg)
{
    if (uv == NULL)
        return MOAT_OK;
    if (!is_hosts(uv) || uv->closing)
        return MOAT_E_STATE;
    uv->closed = closed;
    uv->arg = arg;
    uv->closing = true;
    if (!uv->in_round)
        close_all(uv);
    return MOAT_OK;
}

/* ---- Rounds -------------------------------------------------------------- */

static void keep_alive(moat_uv *uv)
{
    if (moat_sched_live(uv->run) != 0)
        uv_ref((uv_handle_t *)&uv->poll);
    else
        uv_unref((uv_handle_t *)&uv->poll);
}

static void run_round(moat_uv *uv);

static void on_idle(uv_idle_t *idle)
{
    run_round(idle->data);
}

static void on_timer(uv_timer_t *timer)
{
    run_round(timer->data);
}

/* A failure of the loop's poll would come again and again; a round that has
 * nothing to do does no harm. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_round(poll->data);
}

/* The loop counts milliseconds of the same clock: rounded up, so that the
 * deadline has passed. The functions fail only for handles that are closing. */
static void set_timer(moat_uv *uv, uint64_t next)
{
    uint64_t due = next / MS + (next % MS != 0), now = uv_now(uv->timer.loop);

    if (next == 0 || next == MOAT_NO_DEADLINE)
        (void)uv_timer_stop(&uv->timer);
    else
        (void)uv_timer_start(&uv->timer, on_timer, due > now ? due - now : 0,
                             0);
}

static void run_round(moat_uv *uv)
{
    uint64_t next = 0;

    if (uv->in_round) /* a function that it has called runs the loop */
        return;
    uv->in_round = true;
    (void)!moat_sched_round(uv->run, &next);
    uv->in_round = false;
    if (uv->closing) {
        close_all(uv);
        return;
    }
    if (next == 0)
        (void)uv_idle_start(&uv->idle, on_idle);
    else
        (void)uv_idle_stop(&uv->idle);
    set_timer(uv, next);
    keep_alive(uv);
}

/* ---- Open, spawn --------------------------------------------------------- */

static moat_status refuse(const char *what)
{
    return moat_error_note(MOAT_E_INVAL, what, 0, 0);
}

/* The loop has no handle of the run's yet. */
static moat_status give_up(moat_uv *uv, int error)
{
    (void)moat_sched_close(uv->run);
    free(uv);
    errno = error;
    return moat_error_note(MOAT_E_SYSTEM,
                           "loop cannot watch the run's descriptor: %e", 0, 0);
}

/* Of these functions only the first can fail. */
static int add_handles(uv_loop_t *loop, moat_uv *uv)
{
    int error = uv_poll_init(loop, &uv->poll, moat_sched_fd(uv->run));

    if (error != 0)
        return error;
    (void)uv_timer_init(loop, &uv->timer);
    (void)uv_idle_init(loop, &uv->idle);
    uv->poll.data = uv->timer.data = uv->idle.data = uv;
    uv->handles = 3;
    uv_unref((uv_handle_t *)&uv->poll);
    uv_unref((uv_handle_t *)&uv->timer);
    uv_unref((uv_handle_t *)&uv->idle);
    (void)uv_poll_start(&uv->poll, UV_READABLE, on_poll);
    return 0;
}

moat_status moat_uv_open(uv_loop_t *loop, const moat_sched_options *options,
                         moat_uv **out)
{
    moat_status status;
    moat_uv *uv;
    int error;

    if (loop == NULL || out == NULL)
        return refuse(loop == NULL ? "loop is NULL" : "out is NULL");
    uv = calloc(1, sizeof *uv);
    if (uv == NULL)
        return MOAT_E_NOMEM;
    status = moat_sched_open(options, &uv->run);
    if (status != MOAT_OK) {
        free(uv);
        return status;
    }
    uv->thread = uv_thread_self();
    error = add_handles(loop, uv);
    if (error != 0)
        return give_up(uv, -error);
    *out = uv;
    return MOAT_OK;
}

moat_status moat_uv_spawn(moat_uv *uv, moat_task_fn fn, void *arg,
                          const moat_task_options *options, moat_end_fn ended,
                          moat_task **out)
{
    moat_status status;

    if (uv == NULL)
        return refuse("uv is NULL");
    status = moat_sched_spawn(uv->run, fn, arg, options, ended, out);
    if (status == MOAT_OK)
        keep_alive(uv);
    return status;
}

moat_sched *moat_uv_sched(const moat_uv *uv)
{
    return uv == NULL ? NULL : uv->run;
}
