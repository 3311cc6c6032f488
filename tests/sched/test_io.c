/*
 * test_io.c: descriptors of all kinds: waiting, reading, writing, closing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "sched/sockets.h"

#define LARGE ((size_t)1 << 20)

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    int before = open_descriptors();
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

/* ---- A pipe ------------------------------------------------------------- */

static void *writes_slowly(void *arg)
{
    const int *fds = arg;

    for (int i = 0; i < 3; i++) {
        (void)moat_sleep(MS);
        EXPECT_EQ(moat_write(fds[1], "abc", 3, NEVER), 3);
    }
    EXPECT_EQ(moat_close(fds[1]), 0);
    return arg;
}

static void *reads_what_comes(void *arg)
{
    moat_task *writer;
    char bytes[16];
    int fds[2];

    pipe_of(fds);
    writer = spawn(writes_slowly, fds);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(moat_read(fds[0], bytes, sizeof bytes, NEVER), 3);
        EXPECT(memcmp(bytes, "abc", 3) == 0);
    }
    EXPECT_EQ(moat_read(fds[0], bytes, sizeof bytes, NEVER), 0);
    EXPECT_EQ(moat_read(fds[0], bytes, sizeof bytes, 0), 0);
    EXPECT_EQ(join(writer).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(fds[0]), 0);
    return arg;
}

static void *reads_all(void *arg)
{
    static char bytes[10000];
    size_t sum = 0;
    ssize_t got;

    while ((got = moat_read(*(const int *)arg, bytes, sizeof bytes, NEVER)) > 0)
        sum += (size_t)got;
    EXPECT_EQ(got, 0);
    return (void *)sum;
}

static void write_large(int fds[2])
{
    char *bytes = calloc(1, LARGE);
    moat_task *reader = spawn(reads_all, &fds[0]);

    REQUIRE(bytes != NULL);
    EXPECT_EQ(moat_write(fds[1], bytes, LARGE, NEVER), LARGE);
    EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_EQ((size_t)join(reader).value, LARGE);
    EXPECT_EQ(moat_close(fds[0]), 0);
    free(bytes);
}

static void *writes_all(void *arg)
{
    int fds[2];

    pipe_of(fds);
    write_large(fds);
    pair_of(fds);
    write_large(fds);
    tcp_of(fds);
    write_large(fds);
    return arg;
}

static void bytes_go_through(const void *arg)
{
    (void)arg;
    run_real(reads_what_comes);
    run_real(writes_all);
}

/* ---- Deadlines, cancellation -------------------------------------------- */

static void *has_deadlines(void *arg)
{
    char *bytes = calloc(1, LARGE);
    uint64_t begun = moat_now();
    int fds[2];

    pair_of(fds);
    EXPECT_ERRNO(moat_read(fds[0], bytes, 1, 0), ETIMEDOUT);
    EXPECT_ERRNO(moat_read(fds[0], bytes, 1, begun + 7 * MS), ETIMEDOUT);
    EXPECT_EQ(moat_now(), begun + 7 * MS);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_READ, begun + 9 * MS),
              MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_now(), begun + 9 * MS);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_READ, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_WRITE, 0), MOAT_OK);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_WRITE | MOAT_FD_READ, 0), MOAT_OK);
    /* The other side does not read. */
    EXPECT_ERRNO(moat_write(fds[0], bytes, LARGE, moat_now() + MS), ETIMEDOUT);
    EXPECT_EQ(
        moat_fd_wait(fds[0], MOAT_FD_WRITE | MOAT_FD_READ, moat_now() + MS),
        MOAT_E_TIMEOUT);
    /* Bytes that are there come first. */
    EXPECT_EQ(moat_read(fds[1], bytes, 10, 0), 10);
    EXPECT_EQ(moat_read(fds[1], bytes, 10, 1), 10);
    close_both(fds);
    free(bytes);
    return arg;
}

static void try_in_vain(const int **fds)
{
    char byte;

    EXPECT_ERRNO(moat_read((*fds)[0], &byte, 1, NEVER), ECANCELED);
    EXPECT_EQ(moat_fd_wait((*fds)[0], MOAT_FD_READ, NEVER), MOAT_E_CANCELLED);
    EXPECT_EQ(moat_write((*fds)[0], "x", 1, NEVER), 1);
}

static void *waits_to_read(void *arg)
{
    __attribute__((cleanup(try_in_vain))) const int *fds = arg;
    char byte;

    (void)!moat_read(fds[0], &byte, 1, NEVER);
    EXPECT(false);
    return arg;
}

static void *waits_for_either(void *arg)
{
    const int *fds = arg;
    char bytes[64];

    while (moat_write(fds[0], bytes, sizeof bytes, 0) > 0)
        ;
    (void)!moat_fd_wait(fds[0], MOAT_FD_READ | MOAT_FD_WRITE, NEVER);
    EXPECT(false);
    return arg;
}

static void *cancels_waits(void *arg)
{
    moat_task *first, *second;
    char bytes[4];
    int fds[2];

    pair_of(fds);
    first = spawn(waits_to_read, fds);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(first), MOAT_OK);
    EXPECT_EQ(join(first).kind, MOAT_EVENT_CANCELLED);
    /* Others are served. */
    EXPECT_EQ(moat_write(fds[1], "y", 1, NEVER), 1);
    EXPECT_EQ(moat_read(fds[0], bytes, 4, NEVER), 1);
    EXPECT_EQ(moat_read(fds[1], bytes, 4, NEVER), 1);
    second = spawn(waits_for_either, fds);
    moat_task_yield();
    EXPECT_EQ(moat_task_cancel(second), MOAT_OK);
    EXPECT_EQ(join(second).kind, MOAT_EVENT_CANCELLED);
    EXPECT(moat_read(fds[1], bytes, 4, NEVER) == 4);
    close_both(fds);
    return arg;
}

static void waits_end(const void *arg)
{
    (void)arg;
    (void)run(has_deadlines);
    (void)run(cancels_waits);
}

/* ---- Several tasks, one descriptor --------------------------------------- */

static int served;

static void *reads_one(void *arg)
{
    char byte;

    EXPECT_EQ(moat_read(*(const int *)arg, &byte, 1, NEVER), 1);
    served++;
    return arg;
}

static void *shares_a_descriptor(void *arg)
{
    moat_task *readers[5];
    char byte;
    int fds[2];

    pair_of(fds);
    served = 0;
    for (int i = 0; i < 5; i++)
        readers[i] = spawn(reads_one, &fds[0]);
    moat_task_yield();
    /* One edge, enough for three. */
    EXPECT_EQ(moat_write(fds[1], "abc", 3, NEVER), 3);
    (void)moat_sleep(MS);
    EXPECT_EQ(served, 3);
    /* A reader does not stand in a writer's way. */
    EXPECT_EQ(moat_write(fds[0], "d", 1, NEVER), 1);
    EXPECT_EQ(moat_read(fds[1], &byte, 1, NEVER), 1);
    EXPECT_EQ(moat_write(fds[1], "de", 2, NEVER), 2);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(join(readers[i]).kind, MOAT_EVENT_RETURN);
    close_both(fds);
    return arg;
}

/* Never has to wait. */
static void *writes_to_null(void *arg)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    while (!*(const volatile bool *)arg)
        EXPECT_EQ(moat_write(fd, "x", 1, NEVER), 1);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

static void *has_turns_all_the_same(void *arg)
{
    bool ends = false;
    moat_task *busy = spawn(writes_to_null, &ends);

    moat_task_yield();
    moat_task_yield();
    ends = true;
    EXPECT_EQ(join(busy).kind, MOAT_EVENT_RETURN);
    return arg;
}

static void tasks_share(const void *arg)
{
    (void)arg;
    run_real(shares_a_descriptor);
    run_real(has_turns_all_the_same);
}

/* ---- Close --------------------------------------------------------------- */

static void *reads_until_closed(void *arg)
{
    char byte;

    EXPECT_ERRNO(moat_read(*(const int *)arg, &byte, 1, NEVER), EBADF);
    return arg;
}

static void *waits_until_closed(void *arg)
{
    EXPECT_EQ(moat_fd_wait(*(const int *)arg, MOAT_FD_READ, NEVER),
              MOAT_E_CLOSED);
    return arg;
}

static void *closes_under_waiters(void *arg)
{
    moat_task *tasks[2];
    int fds[2], again[2];
    char byte;

    pair_of(fds);
    tasks[0] = spawn(reads_until_closed, &fds[0]);
    tasks[1] = spawn(waits_until_closed, &fds[0]);
    moat_task_yield();
    EXPECT_EQ(moat_write(fds[0], "x", 1, NEVER), 1);
    EXPECT_EQ(moat_close(fds[0]), 0);
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(join(tasks[i]).kind, MOAT_EVENT_RETURN);
    EXPECT_ERRNO(moat_close(fds[0]), EBADF);
    EXPECT_EQ(moat_close(fds[1]), 0);
    /* The numbers come again, for others. */
    pair_of(again);
    EXPECT_EQ(again[0], fds[0]);
    EXPECT_ERRNO(moat_read(again[0], &byte, 1, moat_now() + MS), ETIMEDOUT);
    EXPECT_EQ(moat_write(again[1], "y", 1, NEVER), 1);
    EXPECT_EQ(moat_read(again[0], &byte, 1, NEVER), 1);
    close_both(again);
    return arg;
}

/* Behind moat's back, which is allowed for those that moat makes anew. */
static void *closes_by_itself(void *arg)
{
    char port[8], byte;
    int listener = listener_of(port);
    int fds[2];

    for (int i = 0; i < 3; i++) {
        fds[0] = dial(port);
        fds[1] = moat_accept(listener, NEVER);
        EXPECT_ERRNO(moat_read(fds[0], &byte, 1, moat_now() + MS), ETIMEDOUT);
        EXPECT_EQ(moat_write(fds[1], "x", 1, NEVER), 1);
        EXPECT_EQ(moat_read(fds[0], &byte, 1, NEVER), 1);
        EXPECT_EQ(close(fds[0]), 0);
        EXPECT_EQ(close(fds[1]), 0);
    }
    EXPECT_EQ(moat_close(listener), 0);
    return arg;
}

static void closing_ends_waits(const void *arg)
{
    (void)arg;
    run_real(closes_under_waiters);
    run_real(closes_by_itself);
}

/* ---- Files, bad arguments ------------------------------------------------ */

static void *uses_a_file(void *arg)
{
    char name[] = "/tmp/moat-test-io-XXXXXX", bytes[8];
    int fd = mkstemp(name);

    REQUIRE(fd >= 0);
    EXPECT_EQ(unlink(name), 0);
    EXPECT_EQ(moat_write(fd, "file", 4, 0), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(moat_fd_wait(fd, MOAT_FD_READ, NEVER), MOAT_OK);
    EXPECT_EQ(moat_read(fd, bytes, sizeof bytes, 0), 4);
    EXPECT_EQ(moat_read(fd, bytes, sizeof bytes, NEVER), 0);
    EXPECT_EQ(moat_close(fd), 0);
    return arg;
}

static void *inner(moat_co *self, void *input)
{
    char byte;

    (void)self;
    EXPECT_ERRNO(moat_read(0, &byte, 1, NEVER), EPERM);
    EXPECT_ERRNO(moat_close(0), EPERM);
    EXPECT_EQ(moat_fd_wait(0, MOAT_FD_READ, NEVER), MOAT_E_STATE);
    return input;
}

static void *reads_for_another(void *arg)
{
    char byte;

    EXPECT_ERRNO(moat_read(*(const int *)arg, &byte, 1, NEVER), EPERM);
    EXPECT_EQ(moat_fd_wait(*(const int *)arg, MOAT_FD_READ, 0), MOAT_E_STATE);
    EXPECT_EQ(moat_write(*(const int *)arg, "x", 1, NEVER), 1);
    return NULL;
}

static void *makes_mistakes(void *arg)
{
    moat_event event;
    moat_co *co;
    char byte;
    int fds[2];

    pair_of(fds);
    EXPECT_ERRNO(moat_read(-1, &byte, 1, NEVER), EBADF);
    EXPECT_ERRNO(moat_read(1 << 30, &byte, 1, NEVER), EBADF);
    EXPECT_ERRNO(moat_write(999, &byte, 1, NEVER), EBADF);
    EXPECT_ERRNO(moat_accept(999, NEVER), EBADF);
    EXPECT_ERRNO(moat_accept(fds[0], NEVER), EINVAL);
    EXPECT_ERRNO(moat_close(999), EBADF);
    EXPECT_ERRNO(moat_close(-1), EBADF);
    EXPECT_EQ(moat_fd_wait(999, MOAT_FD_READ, NEVER), MOAT_E_INVAL);
    EXPECT_EQ(moat_fd_wait(-1, MOAT_FD_READ, NEVER), MOAT_E_INVAL);
    EXPECT_EQ(moat_fd_wait(fds[0], 0, NEVER), MOAT_E_INVAL);
    EXPECT_EQ(moat_fd_wait(fds[0], 4, NEVER), MOAT_E_INVAL);
    EXPECT_ERRNO(moat_write(fds[0], (const void *)8, 1, NEVER), EFAULT);
    EXPECT_EQ(moat_write(fds[0], "x", 1, NEVER), 1);
    EXPECT_ERRNO(moat_read(fds[1], (void *)8, 1, NEVER), EFAULT);
    (void)moat_call_on_parent(moat_co_current(), reads_for_another, &fds[0]);
    REQUIRE(moat_co_create(&co, inner, NULL) == MOAT_OK);
    EXPECT_EQ(moat_co_resume(co, NULL, &event), MOAT_OK);
    moat_co_destroy(co);
    close_both(fds);
    return arg;
}

/* The first use makes it non-blocking. */
static void *does_not_block(void *arg)
{
    char byte;
    int fds[2];

    pipe_of(fds);
    EXPECT_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_READ, 0), MOAT_E_TIMEOUT);
    EXPECT_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_ERRNO(moat_read(fds[0], &byte, 1, 0), ETIMEDOUT);
    EXPECT_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    close_both(fds);
    return arg;
}

static void calls_keep_to_the_rules(const void *arg)
{
    char byte;
    int fds[2];

    (void)arg;
    pair_of(fds);
    EXPECT_ERRNO(moat_read(fds[0], &byte, 1, NEVER), EPERM);
    EXPECT_ERRNO(moat_write(fds[0], &byte, 1, NEVER), EPERM);
    EXPECT_ERRNO(moat_accept(fds[0], NEVER), EPERM);
    EXPECT_ERRNO(moat_dial_tcp("127.0.0.1", "1", NEVER), EPERM);
    EXPECT_EQ(moat_fd_wait(fds[0], MOAT_FD_WRITE, 0), MOAT_E_STATE);
    EXPECT_EQ(moat_close(fds[0]), 0);
    EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_ERRNO(moat_close(fds[1]), EBADF);
    run_real(uses_a_file);
    run_real(makes_mistakes);
    run_real(does_not_block);
}

/* ---- Woken in the poller by others ----------------------------------------
 */

static moat_waker *waker;
static int idle[2];

static void on_alarm(int signo)
{
    (void)signo;
    moat_waker_wake(waker);
}

static void *wakes(void *arg)
{
    for (int i = 0; i < 20; i++) {
        (void)usleep(1000);
        moat_waker_wake(waker);
    }
    return arg;
}

static void *waits_for_nothing(void *arg)
{
    char byte;

    EXPECT_EQ(moat_read(idle[0], &byte, 1, NEVER), 0);
    return arg;
}

static void *is_woken_in_the_poller(void *arg)
{
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    moat_task *waits;
    pthread_t thread;

    REQUIRE(moat_waker_create(&waker) == MOAT_OK);
    pipe_of(idle);
    waits = spawn(waits_for_nothing, NULL);
    moat_task_yield();
    /* By time: */
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(moat_sleep(MS / 3), MOAT_OK);
    /* by a handler: */
    REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_OK);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    REQUIRE(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    (void)!moat_waker_wait(waker, 0);
    /* by a thread, whose last wake is the latest: */
    REQUIRE(pthread_create(&thread, NULL, wakes, NULL) == 0);
    EXPECT_EQ(moat_waker_wait(waker, NEVER), MOAT_OK);
    REQUIRE(pthread_join(thread, NULL) == 0);
    moat_waker_destroy(waker);
    EXPECT_EQ(moat_close(idle[1]), 0);
    EXPECT_EQ(join(waits).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(idle[0]), 0);
    return arg;
}

static void others_wake_who_polls(const void *arg)
{
    const struct sigaction action = {.sa_handler = on_alarm,
                                     .sa_flags = SA_RESTART};

    (void)arg;
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0);
    run_real(is_woken_in_the_poller);
}

/* ---- On several threads ----------------------------------------------------
 */

#define PAIRS  24
#define ROUNDS 200

struct player {
    int fd;
    bool begins;
    moat_chan *over; /* between the threads, which sleep in their pollers */
};

static void *plays(void *arg)
{
    const struct player *player = arg;
    uint64_t number = 0, got = 0;

    for (int round = 0; round < ROUNDS; round++) {
        if (player->begins)
            EXPECT_EQ(moat_write(player->fd, &number, 8, NEVER), 8);
        EXPECT_EQ(moat_read(player->fd, &got, 8, NEVER), 8);
        EXPECT_EQ(got, number);
        number++;
        if (!player->begins)
            EXPECT_EQ(moat_write(player->fd, &got, 8, NEVER), 8);
    }
    EXPECT_EQ(send_number(player->over, 1), MOAT_OK);
    return arg;
}

static void *all_play(void *arg)
{
    static struct player players[2 * PAIRS];
    static int fds[2 * PAIRS];
    moat_chan *over = chan_of(8, 0);

    for (int i = 0; i < PAIRS; i++) {
        pair_of(&fds[2 * i]);
        for (int side = 0; side < 2; side++) {
            struct player *player = &players[2 * i + side];

            *player = (struct player){fds[2 * i + side], side == 0, over};
            (void)spawn(plays, player);
        }
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        (void)recv_number(over);
    for (int i = 0; i < 2 * PAIRS; i++)
        EXPECT_EQ(moat_close(fds[i]), 0);
    moat_chan_destroy(over);
    return arg;
}

static void threads_have_pollers(const void *arg)
{
    moat_sched_options options = MOAT_SCHED_OPTIONS_INIT;
    moat_sched_stats stats = MOAT_SCHED_STATS_INIT;
    int before = open_descriptors();

    (void)arg;
    options.report_fd = -1;
    options.stats = &stats;
    for (options.threads = 1; options.threads <= 4; options.threads++) {
        EXPECT_EQ(moat_sched_run(&options, all_play, NULL, NULL), MOAT_OK);
        EXPECT_EQ(stats.live, 0);
        EXPECT_EQ(stats.deadlocks, 0);
        expect_descriptors(before);
    }
}

/* ---- Reports
 * ------------------------------------------------------------------ */

static void *is_reported(void *arg)
{
    static char text[8192];
    moat_task *task;
    char expected[64];
    int fds[2], out[2];
    ssize_t got;

    pair_of(fds);
    pipe_of(out);
    task = spawn(reads_one, &fds[0]);
    moat_task_yield();
    EXPECT_EQ(moat_dump_tasks(out[1]), MOAT_OK);
    got = moat_read(out[0], text, sizeof text - 1, NEVER);
    REQUIRE(got > 0);
    text[got] = '\0';
    (void)snprintf(expected, sizeof expected,
                   "waiting, reads from descriptor %d for", fds[0]);
    EXPECT(strstr(text, expected) != NULL);
    EXPECT_EQ(moat_dump_tasks_json(out[1]), MOAT_OK);
    got = moat_read(out[0], text, sizeof text - 1, NEVER);
    REQUIRE(got > 0);
    text[got] = '\0';
    (void)snprintf(expected, sizeof expected, "\"for_fd\":%d,", fds[0]);
    EXPECT(strstr(text, expected) != NULL);
    EXPECT_EQ(moat_write(fds[1], "x", 1, NEVER), 1);
    EXPECT_EQ(join(task).kind, MOAT_EVENT_RETURN);
    close_both(fds);
    close_both(out);
    return arg;
}

static void reports_name_descriptors(const void *arg)
{
    (void)arg;
    (void)run_with(MOAT_CLOCK_REAL, is_reported, NULL, NULL);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(bytes_go_through),
        CHILD_CASE(waits_end),
        CHILD_CASE(tasks_share),
        CHILD_CASE(closing_ends_waits),
        CHILD_CASE(calls_keep_to_the_rules),
        CHILD_CASE(others_wake_who_polls),
        CHILD_CASE(threads_have_pollers),
        CHILD_CASE(reports_name_descriptors),
    };

    return child_cases_run("sched.io", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
