/*
 * test_stop_io.c: a task may be stopped at any instruction of its calls on
 * descriptors: the others go on, and what it leaves is a descriptor at most,
 * which it was about to get.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "sched/sockets.h"
#include "sched/steps.h"

struct play {
    int fds[2], idle[2], listener;
    char port[8];
};

/* The worker makes threads while it is stepped through, too, since the flag is
 * the thread's. The C library blocks all signals meanwhile, this one as well.
 */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*fn)(void *), void *arg)
{
    int error;

    __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
    error = __real_pthread_create(thread, attributes, fn, arg);
    if (stepped != NULL)
        __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::
                             : "memory", "cc");
    return error;
}

static void *returns(void *arg)
{
    return arg;
}

static void drops(void *arg, void *result)
{
    (void)arg;
    (void)result;
}

/* Each kind of call, with and without waiting. */
static void use_all(const struct play *play)
{
    int fd = play->fds[0], local = 0, made;
    char bytes[8];
    struct iovec two[] = {{bytes, 2}, {bytes + 2, 6}};
    uint64_t refused = 0;

    (void)moat_write(fd, "abc", 3, NEVER);
    (void)!moat_read(fd, bytes, sizeof bytes, NEVER);
    (void)!moat_read(play->idle[0], bytes, 1, moat_now() + MS);
    (void)!moat_fd_wait(play->idle[0], MOAT_FD_READ | MOAT_FD_WRITE, NEVER);
    (void)!moat_fd_wait(play->idle[0], MOAT_FD_READ, moat_now() + MS);
    (void)!moat_sendto(fd, "abc", 3, 0, NULL, 0, NEVER);
    (void)!moat_recvfrom(fd, bytes, sizeof bytes, 0, NULL, NULL, NEVER);
    (void)!moat_writev(fd, two, 2, NEVER);
    (void)!moat_readv(fd, two, 2, NEVER);
    (void)!moat_accept(play->listener, 0);
    (void)!moat_accept_refusing(play->listener, 0, &refused);
    (void)!moat_accept_spawn(play->listener, NULL, returns, NULL, 0, NULL);
    made = moat_dial_tcp("127.0.0.1", play->port, NEVER);
    (void)moat_close(made);
    made = moat_accept(play->listener, NEVER);
    (void)moat_close(made);
    made = moat_listen_tcp("127.0.0.1", "0", 0);
    (void)moat_close(made);
    (void)!moat_offload(returns, NULL, NULL);
    (void)!moat_offload(returns, &local, NULL);
    (void)!moat_offload_until(returns, NULL, drops, moat_now() + MS, NULL);
    (void)moat_close(fd);
}

static void *is_stepped(void *arg)
{
    begin_steps();
    use_all(arg);
    end_steps();
    return arg;
}

static void *echoes(void *arg)
{
    const struct play *play = arg;
    char bytes[8];
    ssize_t got;

    while ((got = moat_read(play->fds[1], bytes, sizeof bytes, NEVER)) > 0)
        if (moat_write(play->fds[1], bytes, (size_t)got, NEVER) < 0)
            break;
    return arg;
}

/* Waits for the descriptor that the victim waits for, too. */
static void *reads_beside_it(void *arg)
{
    const struct play *play = arg;
    char byte;

    EXPECT_EQ(moat_read(play->idle[0], &byte, 1, NEVER), 1);
    return arg;
}

static moat_result last;

static void *plays(void *arg)
{
    static struct play play;
    moat_task *victim, *other, *beside;

    steps = 0;
    stopped = false;
    pair_of(play.fds);
    pair_of(play.idle);
    play.listener = listener_of(play.port);
    other = spawn(echoes, &play);
    beside = spawn(reads_beside_it, &play);
    victim = spawn(is_stepped, &play);
    last = join(victim);
    stepped = NULL;
    (void)moat_close(play.fds[0]); /* or it has done so */
    EXPECT_EQ(moat_write(play.idle[1], "x", 1, NEVER), 1);
    EXPECT_EQ(join(other).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(join(beside).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(play.fds[1]), 0);
    close_both(play.idle);
    EXPECT_EQ(moat_close(play.listener), 0);
    return arg;
}

/* Descriptors that were open before the tries are below this. */
static unsigned first_of_ours;

/* One that was made, and that the task has not closed any more. The poller's
 * thread may keep its bell for a moment. */
static void close_what_is_left(int before)
{
    for (int i = 0; i < 10000 && open_descriptors() > before + stopped; i++)
        (void)usleep(1000);
    EXPECT(open_descriptors() <= before + stopped);
    (void)syscall(SYS_close_range, first_of_ours, ~0u, 0u);
}

static void try_one(void)
{
    int before = open_descriptors();
    moat_sched_stats stats = run(plays);

    EXPECT_EQ(stats.deadlocks, 0);
    EXPECT_EQ(stats.trapped, stopped);
    EXPECT_EQ(last.kind, stopped ? MOAT_EVENT_TRAP : MOAT_EVENT_RETURN);
    close_what_is_left(before);
}

static void a_task_may_be_stopped_at_any_instruction(const void *arg)
{
    long count;

    (void)arg;
    prepare_steps();
    (void)run(plays); /* what is opened once */
    first_of_ours = (unsigned)dup(0);
    (void)close((int)first_of_ours);
    try_one();
    EXPECT_EQ(last.kind, MOAT_EVENT_RETURN);
    count = steps;
    EXPECT(count > 1000);
    (void)stop_everywhere(count, try_one);
}

int main(void)
{
    static const struct child_case cases[] = {
        {"a_task_may_be_stopped_at_any_instruction",
         a_task_may_be_stopped_at_any_instruction, NULL, NEEDS_STEPS, 0, 0},
    };

    return child_cases_run("sched.stop_io", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
