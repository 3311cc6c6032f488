/*
 * test_uv.c: tasks in a loop of libuv.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <unistd.h>

#include <uv.h>

#include <moat/uv.h>

#include "support/fixture.h"

#define NEVER MOAT_NO_DEADLINE
#define MS    UINT64_C(1000000)

/* ---- A loop with tasks --------------------------------------------------- */

static uv_loop_t loop;
static moat_uv *tasks;
static int closes;

static void open_all(void)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;

    options.report_fd = -1;
    REQUIRE(uv_loop_init(&loop) == 0);
    REQUIRE(moat_uv_open(&loop, &options, &tasks) == MOAT_OK);
}

static void note_close(void *arg)
{
    ++*(int *)arg;
}

static void close_tasks(void)
{
    EXPECT_EQ(moat_uv_close(tasks, note_close, &closes), MOAT_OK);
    tasks = NULL;
}

/* Whatever had handles in the loop has closed them. */
static void end_loop(void)
{
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(closes, 1);
    EXPECT_EQ(uv_loop_close(&loop), 0);
}

static void close_all(void)
{
    close_tasks();
    end_loop();
}

static int ends;
static moat_result last;

static void note_end(void *arg, const moat_result *result)
{
    (void)arg;
    ends++;
    last = *result;
}

static moat_task *start(moat_task_fn fn, void *arg)
{
    moat_task *task = NULL;

    REQUIRE(moat_uv_spawn(tasks, fn, arg, NULL, note_end, &task) == MOAT_OK);
    return task;
}

static void *returns(void *arg)
{
    return arg;
}

static void *faults(void *arg)
{
    *(volatile int *)NULL = 1;
    return arg;
}

static void *sleeps_long(void *arg)
{
    (void)moat_sleep(3600000 * MS);
    return arg;
}

static void *yields_forever(void *arg)
{
    while (++*(long *)arg > 0)
        moat_task_yield();
    return arg;
}

/* ---- The loop's life ----------------------------------------------------- */

static void the_loop_ends_with_the_tasks(const void *arg)
{
    (void)arg;
    open_all();
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0); /* there are none */
    (void)start(returns, NULL);
    EXPECT(uv_loop_alive(&loop) != 0);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(ends, 1);
    (void)start(returns, NULL); /* the loop can be run again */
    (void)start(faults, NULL);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(ends, 3);
    EXPECT_EQ(moat_sched_live(moat_uv_sched(tasks)), 0);
    close_all();
}

/* Once the tasks have had turns. */
static void close_from_a_timer(uv_timer_t *timer)
{
    if (*(const long *)timer->data == 0)
        return;
    close_tasks();
    uv_close((uv_handle_t *)timer, NULL);
}

static void a_close_ends_running_tasks(const void *arg)
{
    uv_timer_t timer;
    long turns = 0;

    (void)arg;
    open_all();
    (void)start(sleeps_long, NULL);
    (void)start(yields_forever, &turns);
    REQUIRE(uv_timer_init(&loop, &timer) == 0);
    timer.data = &turns;
    REQUIRE(uv_timer_start(&timer, close_from_a_timer, 1, 1) == 0);
    end_loop();
    EXPECT(turns > 0);
    EXPECT_EQ(ends, 2);
    EXPECT_EQ(last.kind, MOAT_EVENT_CANCELLED);
}

static void close_at_the_end(void *arg, const moat_result *result)
{
    note_end(arg, result);
    close_tasks();
}

/* The close begins after the round. */
static void the_end_of_a_task_may_close(const void *arg)
{
    (void)arg;
    open_all();
    (void)start(sleeps_long, NULL);
    EXPECT_EQ(moat_uv_spawn(tasks, faults, NULL, NULL, close_at_the_end, NULL),
              MOAT_OK);
    end_loop();
    EXPECT_EQ(ends, 2);
    EXPECT_EQ(last.kind, MOAT_EVENT_CANCELLED);
}

static void *closes_by_a_host_call(void *arg)
{
    close_tasks();
    return arg;
}

static void *calls_the_host(void *arg)
{
    (void)moat_call_on_parent(moat_co_current(), closes_by_a_host_call, NULL);
    (void)moat_sleep(3600000 * MS);
    return arg;
}

static void a_task_may_close_by_a_host_call(const void *arg)
{
    (void)arg;
    open_all();
    (void)start(calls_the_host, NULL);
    end_loop();
    EXPECT_EQ(ends, 1);
    EXPECT_EQ(last.kind, MOAT_EVENT_CANCELLED);
}

static void run_the_loop(void *arg, const moat_result *result)
{
    note_end(arg, result);
    EXPECT(uv_run(&loop, UV_RUN_NOWAIT) != 0); /* the other task lives */
}

static void a_loop_in_the_loop_does_no_harm(const void *arg)
{
    long turns = 0;

    (void)arg;
    open_all();
    (void)start(yields_forever, &turns);
    EXPECT_EQ(moat_uv_spawn(tasks, returns, NULL, NULL, run_the_loop, NULL),
              MOAT_OK);
    while (ends == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    EXPECT(turns > 0);
    close_all();
    EXPECT_EQ(ends, 2);
}

/* ---- Turns --------------------------------------------------------------- */

#define TICKS 20

struct ticker {
    uv_timer_t timer;
    int left;
    moat_task *victim; /* is cancelled at the end */
};

static void tick(uv_timer_t *timer)
{
    struct ticker *ticker = timer->data;

    if (--ticker->left != 0)
        return;
    EXPECT_EQ(moat_task_cancel(ticker->victim), MOAT_OK);
    uv_close((uv_handle_t *)timer, NULL);
}

static void start_ticker(struct ticker *ticker, moat_task *victim)
{
    ticker->left = TICKS;
    ticker->victim = victim;
    ticker->timer.data = ticker;
    REQUIRE(uv_timer_init(&loop, &ticker->timer) == 0);
    REQUIRE(uv_timer_start(&ticker->timer, tick, 1, 1) == 0);
}

static void *sleeps_often(void *arg)
{
    for (int i = 0; i < TICKS; i++)
        if (moat_sleep(MS) == MOAT_OK)
            ++*(int *)arg;
    return arg;
}

/* The loop's timers and tasks' deadlines, while a task always can run. */
static void busy_tasks_let_the_loop_have_its_turns(const void *arg)
{
    struct ticker ticker;
    int sleeps = 0;
    long turns = 0;

    (void)arg;
    open_all();
    (void)start(sleeps_often, &sleeps);
    start_ticker(&ticker, start(yields_forever, &turns));
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(ticker.left, 0);
    EXPECT_EQ(sleeps, TICKS);
    EXPECT(turns >= TICKS);
    EXPECT_EQ(ends, 2);
    close_all();
}

static long idles;

static void spin(uv_idle_t *idle)
{
    (void)idle;
    idles++;
}

static void *counts_turns(void *arg)
{
    for (int i = 0; i < 1000; i++)
        moat_task_yield();
    EXPECT_EQ(moat_sleep(MS), MOAT_OK);
    return arg;
}

static void stop_spinning(void *arg, const moat_result *result)
{
    note_end(arg, result);
    uv_close(arg, NULL);
}

static void a_busy_loop_lets_tasks_have_their_turns(const void *arg)
{
    uv_idle_t idle;

    (void)arg;
    open_all();
    REQUIRE(uv_idle_init(&loop, &idle) == 0);
    REQUIRE(uv_idle_start(&idle, spin) == 0);
    EXPECT_EQ(
        moat_uv_spawn(tasks, counts_turns, &idle, NULL, stop_spinning, NULL),
        MOAT_OK);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(last.kind, MOAT_EVENT_RETURN);
    EXPECT(idles >= 1000 / 61);
    close_all();
}

/* ---- Callbacks and tasks ------------------------------------------------- */

static moat_chan *numbers;

static void send_number(uv_timer_t *timer)
{
    int number = 5;

    EXPECT_EQ(moat_chan_send(numbers, &number, 0), MOAT_OK);
    uv_close((uv_handle_t *)timer, NULL);
}

static void *start_timer(void *timer)
{
    EXPECT_EQ(uv_timer_init(&loop, timer), 0);
    EXPECT_EQ(uv_timer_start(timer, send_number, 1, 0), 0);
    return NULL;
}

/* Calls libuv as a host call, and waits for the item that the callback sends.
 */
static void *waits_for_the_callback(void *timer)
{
    int number = 0;

    (void)moat_call_on_parent(moat_co_current(), start_timer, timer);
    EXPECT_EQ(moat_chan_recv(numbers, &number, NEVER), MOAT_OK);
    EXPECT_EQ(number, 5);
    return timer;
}

static void a_callback_wakes_a_task(const void *arg)
{
    uv_timer_t timer;

    (void)arg;
    open_all();
    REQUIRE(moat_chan_create(&numbers, sizeof(int), 0) == MOAT_OK);
    (void)start(waits_for_the_callback, &timer);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(last.kind, MOAT_EVENT_RETURN);
    moat_chan_destroy(numbers);
    close_all();
}

/* The last of the loop's phases before its wait. */
static void send_late(uv_prepare_t *prepare)
{
    int number = 5;

    EXPECT_EQ(moat_chan_send(numbers, &number, 0), MOAT_OK);
    uv_close((uv_handle_t *)prepare, NULL);
}

static void *receives(void *arg)
{
    int number = 0;

    EXPECT_EQ(moat_chan_recv(numbers, &number, NEVER), MOAT_OK);
    return arg;
}

static void a_wake_just_before_the_wait_is_not_lost(const void *arg)
{
    uv_prepare_t prepare;

    (void)arg;
    open_all();
    REQUIRE(moat_chan_create(&numbers, sizeof(int), 0) == MOAT_OK);
    (void)start(receives, NULL);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    REQUIRE(uv_prepare_init(&loop, &prepare) == 0);
    REQUIRE(uv_prepare_start(&prepare, send_late) == 0);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(ends, 1);
    moat_chan_destroy(numbers);
    close_all();
}

/* ---- A server of libuv --------------------------------------------------- */

struct request {
    uv_tcp_t connection; /* the first member */
    uv_write_t write;
    char text[16];
};

static uv_tcp_t listener;
static char port[8];

static int overflow(volatile int depth)
{
    return depth == 0 ? 0 : overflow(depth + 1) + depth;
}

/* 'o' overflows, 'f' faults, others wait a little and are answered. */
static void *handles(void *arg)
{
    struct request *request = arg;

    if (request->text[0] == 'o')
        (void)overflow(1);
    if (request->text[0] == 'f')
        (void)faults(NULL);
    EXPECT_EQ(moat_sleep(MS / 10), MOAT_OK);
    request->text[0] = (char)(request->text[0] + 1);
    return NULL;
}

static void free_request(uv_handle_t *handle)
{
    free(handle);
}

static void hang_up(uv_write_t *write, int status)
{
    EXPECT_EQ(status, 0);
    uv_close((uv_handle_t *)write->handle, free_request);
}

static void reply(void *arg, const moat_result *result)
{
    struct request *request = arg;
    uv_buf_t buffer = uv_buf_init(request->text, 1);

    if (result->kind != MOAT_EVENT_RETURN)
        request->text[0] = '!';
    EXPECT_EQ(uv_write(&request->write, (uv_stream_t *)&request->connection,
                       &buffer, 1, hang_up),
              0);
}

static void give_room(uv_handle_t *handle, size_t size, uv_buf_t *buffer)
{
    struct request *request = (struct request *)handle;

    (void)size;
    *buffer = uv_buf_init(request->text, sizeof request->text);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    (void)buffer;
    (void)uv_read_stop(stream);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(moat_uv_spawn(tasks, handles, stream, NULL, reply, NULL),
              MOAT_OK);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct request *request = calloc(1, sizeof *request);

    REQUIRE(status == 0 && request != NULL);
    EXPECT_EQ(uv_tcp_init(&loop, &request->connection), 0);
    EXPECT_EQ(uv_accept(server, (uv_stream_t *)&request->connection), 0);
    EXPECT_EQ(
        uv_read_start((uv_stream_t *)&request->connection, give_room, on_read),
        0);
}

static void serve(void)
{
    struct sockaddr_storage bound;
    struct sockaddr_in address;
    int length = sizeof bound;

    REQUIRE(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    REQUIRE(uv_tcp_init(&loop, &listener) == 0);
    REQUIRE(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) == 0);
    REQUIRE(uv_listen((uv_stream_t *)&listener, 128, on_connection) == 0);
    REQUIRE(uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &length) ==
            0);
    (void)snprintf(port, sizeof port, "%d",
                   ntohs(((const struct sockaddr_in *)&bound)->sin_port));
}

static char ask_for(char what)
{
    int fd = moat_dial_tcp("127.0.0.1", port, NEVER);
    char answer = '\0';

    EXPECT(fd >= 0);
    EXPECT_EQ(moat_write(fd, &what, 1, NEVER), 1);
    EXPECT_EQ(moat_read(fd, &answer, 1, NEVER), 1);
    EXPECT_EQ(moat_close(fd), 0);
    return answer;
}

#define CLIENTS 10

/* Every tenth request overflows, and every tenth faults. */
static void *asks(void *arg)
{
    for (int i = 0; i < 10; i++) {
        char what = (char)(i == 3 ? 'o' : i == 7 ? 'f' : '0' + i);

        EXPECT_EQ(ask_for(what), i == 3 || i == 7 ? '!' : (char)('0' + i + 1));
    }
    return arg;
}

static void stop_serving(void *arg, const moat_result *result)
{
    note_end(arg, result);
    EXPECT_EQ(result->kind, MOAT_EVENT_RETURN);
    if (ends == CLIENTS)
        uv_close((uv_handle_t *)&listener, NULL);
}

static void requests_that_crash_cost_no_other(const void *arg)
{
    (void)arg;
    open_all();
    serve();
    for (int i = 0; i < CLIENTS; i++)
        EXPECT_EQ(moat_uv_spawn(tasks, asks, NULL, NULL, stop_serving, NULL),
                  MOAT_OK);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(ends, CLIENTS);
    close_all();
}

/* ---- A loop that fails --------------------------------------------------- */

static bool poll_fails;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_uv_poll_init(uv_loop_t *of, uv_poll_t *handle, int fd);
int __wrap_uv_poll_init(uv_loop_t *of, uv_poll_t *handle, int fd);
int __wrap_uv_poll_init(uv_loop_t *of, uv_poll_t *handle, int fd)
{
    return poll_fails ? UV_ENOMEM : __real_uv_poll_init(of, handle, fd);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void an_opening_that_fails_leaves_nothing(const void *arg)
{
    moat_uv *other = NULL;
    int lowest;

    (void)arg;
    REQUIRE(uv_loop_init(&loop) == 0); /* opens what is libuv's for ever */
    EXPECT_EQ(uv_loop_close(&loop), 0);
    lowest = dup(0);
    EXPECT_EQ(close(lowest), 0);
    REQUIRE(uv_loop_init(&loop) == 0);
    poll_fails = true;
    errno = 0;
    EXPECT_EQ(moat_uv_open(&loop, NULL, &other), MOAT_E_SYSTEM);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT(strstr(moat_error_detail(), "MOAT_E_SYSTEM: loop cannot watch "
                                       "the run's descriptor: ") != NULL);
    EXPECT(other == NULL);
    poll_fails = false;
    EXPECT_EQ(uv_loop_close(&loop), 0);
    EXPECT_EQ(dup(0), lowest); /* no descriptor is left */
    EXPECT_EQ(close(lowest), 0);
    open_all(); /* and no run */
    close_all();
}

/* ---- Refusals ------------------------------------------------------------ */

static void expect_refused(moat_status status, const char *why)
{
    EXPECT_EQ(status, MOAT_E_INVAL);
    EXPECT_STR(moat_error_detail(), why);
}

static void *closes_from_outside(void *arg)
{
    EXPECT_EQ(moat_uv_close(arg, NULL, NULL), MOAT_E_STATE);
    return arg;
}

static void *closes_in_a_task(void *arg)
{
    EXPECT_EQ(moat_uv_close(arg, NULL, NULL), MOAT_E_STATE);
    return arg;
}

static void bad_calls_are_refused(const void *arg)
{
    moat_uv *other = NULL;
    pthread_t thread;

    (void)arg;
    open_all();
    expect_refused(moat_uv_open(NULL, NULL, &other),
                   "MOAT_E_INVAL: loop is NULL");
    expect_refused(moat_uv_open(&loop, NULL, NULL),
                   "MOAT_E_INVAL: out is NULL");
    expect_refused(moat_uv_spawn(NULL, returns, NULL, NULL, NULL, NULL),
                   "MOAT_E_INVAL: uv is NULL");
    expect_refused(moat_uv_spawn(tasks, NULL, NULL, NULL, NULL, NULL),
                   "MOAT_E_INVAL: fn is NULL");
    EXPECT_EQ(moat_uv_open(&loop, NULL, &other), MOAT_E_STATE);
    EXPECT(other == NULL);
    REQUIRE(pthread_create(&thread, NULL, closes_from_outside, tasks) == 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    (void)start(closes_in_a_task, tasks);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(moat_uv_close(NULL, NULL, NULL), MOAT_OK);
    EXPECT(moat_uv_sched(NULL) == NULL);
    close_all();
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_loop_ends_with_the_tasks),
        CHILD_CASE(a_close_ends_running_tasks),
        CHILD_CASE(the_end_of_a_task_may_close),
        CHILD_CASE(a_task_may_close_by_a_host_call),
        CHILD_CASE(a_loop_in_the_loop_does_no_harm),
        CHILD_CASE(busy_tasks_let_the_loop_have_its_turns),
        CHILD_CASE(a_busy_loop_lets_tasks_have_their_turns),
        CHILD_CASE(a_callback_wakes_a_task),
        CHILD_CASE(a_wake_just_before_the_wait_is_not_lost),
        CHILD_CASE(requests_that_crash_cost_no_other),
        CHILD_CASE(an_opening_that_fails_leaves_nothing),
        CHILD_CASE(bad_calls_are_refused),
    };

    return child_cases_run("uv", cases, sizeof cases / sizeof cases[0], NULL);
}
