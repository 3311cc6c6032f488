/*
 * test_vector.c: reading into several buffers, and writing several.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "sched/sockets.h"

#define LARGE ((size_t)1 << 20)
#define MANY  100

static void run_real(moat_task_fn fn)
{
    moat_result result = {.kind = MOAT_EVENT_PANIC};
    int before = open_descriptors();
    moat_sched_stats stats = run_with(MOAT_CLOCK_REAL, fn, NULL, &result);

    EXPECT_EQ(result.kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(stats.deadlocks, 0);
    expect_descriptors(before);
}

static struct iovec vec(void *base, size_t size)
{
    return (struct iovec){base, size};
}

/* ---- Bytes --------------------------------------------------------------- */

static void *is_scattered(void *arg)
{
    char one[4] = "", two[1] = "", three[16] = "";
    struct iovec in[] = {vec(one, 3), vec(NULL, 0), vec(two, 1),
                         vec(three, sizeof three)};
    char hello[] = "hello", world[] = " world";
    struct iovec out[] = {vec(hello, 5), vec(NULL, 0), vec(world, 6)};
    int fds[2];

    pair_of(fds);
    EXPECT_EQ(moat_writev(fds[0], out, 3, NEVER), 11);
    EXPECT_EQ(moat_readv(fds[1], in, 4, NEVER), 11);
    EXPECT(memcmp(one, "hel", 3) == 0 && two[0] == 'l');
    EXPECT(memcmp(three, "o world", 7) == 0);
    EXPECT(out[0].iov_base == hello && out[0].iov_len == 5);
    EXPECT_EQ(moat_writev(fds[0], out, 0, NEVER), 0);
    EXPECT_EQ(moat_writev(fds[0], &out[1], 1, NEVER), 0);
    EXPECT_EQ(moat_readv(fds[1], in, 0, NEVER), 0);
    EXPECT_EQ(moat_close(fds[0]), 0);
    EXPECT_EQ(moat_readv(fds[1], in, 4, NEVER), 0); /* the end */
    EXPECT_EQ(moat_close(fds[1]), 0);
    return arg;
}

/* The bytes have no period that a buffer's size has. */
static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at % 251);
}

static void *reads_scattered(void *arg)
{
    const int *fds = arg;
    unsigned char one[1000], two[77];
    struct iovec in[] = {vec(one, sizeof one), vec(two, sizeof two)};
    size_t sum = 0;
    ssize_t got;

    while ((got = moat_readv(fds[0], in, 2, NEVER)) > 0)
        for (size_t i = 0; i < (size_t)got; i++, sum++)
            if ((i < sizeof one ? one[i] : two[i - sizeof one]) !=
                byte_at(sum)) {
                EXPECT_EQ(sum, 0);
                return arg;
            }
    EXPECT_EQ(got, 0);
    EXPECT_EQ(sum, LARGE);
    return arg;
}

/* More than the kernel takes at once, in more buffers than are passed on. */
static void write_large(int fds[2])
{
    unsigned char *bytes = malloc(LARGE);
    moat_task *reader = spawn(reads_scattered, fds);
    struct iovec out[MANY];
    size_t each = LARGE / MANY;

    REQUIRE(bytes != NULL);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = byte_at(i);
    for (size_t i = 0; i < MANY; i++)
        out[i] = vec(bytes + i * each, i + 1 < MANY ? each : LARGE - i * each);
    EXPECT_EQ(moat_writev(fds[1], out, MANY, NEVER), LARGE);
    EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_EQ(join(reader).kind, MOAT_EVENT_RETURN);
    EXPECT_EQ(moat_close(fds[0]), 0);
    free(bytes);
}

static void *writes_large(void *arg)
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

/* In more buffers than PARTS of read.c. */
static void *sends_one_datagram(void *arg)
{
    char bytes[40], back[64];
    struct iovec out[40];
    int fds[2];

    REQUIRE(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0);
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 40; i++)
        out[i] = vec(&bytes[i], 1);
    EXPECT_EQ(moat_writev(fds[0], out, 40, NEVER), 40);
    EXPECT_EQ(moat_read(fds[1], back, sizeof back, NEVER), 40);
    EXPECT_ERRNO(moat_read(fds[1], back, sizeof back, 0), ETIMEDOUT);
    close_both(fds);
    return arg;
}

static void bytes_go_through(const void *arg)
{
    (void)arg;
    run_real(is_scattered);
    run_real(writes_large);
    run_real(sends_one_datagram);
}

/* ---- Failures ------------------------------------------------------------ */

static void *fails(void *arg)
{
    char byte = 'x', *large = calloc(1, LARGE);
    struct iovec one[] = {vec(&byte, 1), vec(large, LARGE)};
    struct iovec endless[] = {vec(&byte, SSIZE_MAX), vec(&byte, 1)};
    struct iovec wrong = vec((void *)(uintptr_t)1, 1);
    int fds[2];

    REQUIRE(large != NULL);
    EXPECT_ERRNO(moat_readv(-1, one, 1, NEVER), EBADF);
    EXPECT_ERRNO(moat_writev(-1, one, 1, NEVER), EBADF);
    pair_of(fds);
    EXPECT_ERRNO(moat_readv(fds[0], one, -1, NEVER), EINVAL);
    EXPECT_ERRNO(moat_readv(fds[0], one, IOV_MAX + 1, NEVER), EINVAL);
    EXPECT_ERRNO(moat_writev(fds[0], one, -1, NEVER), EINVAL);
    EXPECT_ERRNO(moat_writev(fds[0], one, IOV_MAX + 1, NEVER), EINVAL);
    EXPECT_ERRNO(moat_readv(fds[0], endless, 2, NEVER), EINVAL);
    EXPECT_ERRNO(moat_writev(fds[0], endless, 2, NEVER), EINVAL);
    EXPECT_ERRNO(moat_writev(fds[0], &wrong, 1, NEVER), EFAULT);
    EXPECT_ERRNO(moat_readv(fds[0], one, 1, 0), ETIMEDOUT);
    EXPECT_ERRNO(moat_readv(fds[0], one, 1, moat_now() + MS), ETIMEDOUT);
    EXPECT_EQ(moat_write(fds[1], "y", 1, NEVER), 1);
    EXPECT_ERRNO(moat_readv(fds[0], &wrong, 1, NEVER), EFAULT);
    EXPECT_EQ(moat_readv(fds[0], one, 1, NEVER), 1);
    EXPECT_EQ(byte, 'y');
    EXPECT_ERRNO(moat_writev(fds[0], one, 2, moat_now() + MS), ETIMEDOUT);
    EXPECT_EQ(moat_close(fds[1]), 0);
    EXPECT_ERRNO(moat_writev(fds[0], one, 1, NEVER), EPIPE); /* no signal */
    EXPECT_EQ(moat_close(fds[0]), 0);
    free(large);
    return arg;
}

static void calls_keep_to_the_rules(const void *arg)
{
    char byte = 'x';
    struct iovec one = vec(&byte, 1);

    (void)arg;
    EXPECT_ERRNO(moat_readv(0, &one, 1, NEVER), EPERM);
    EXPECT_ERRNO(moat_writev(1, &one, 1, NEVER), EPERM);
    run_real(fails);
}

/* ---- A task that faults -------------------------------------------------- */

static void *has_a_wrong_vector(void *arg)
{
    (void)!moat_writev(*(const int *)arg, (struct iovec *)(uintptr_t)16, 1,
                       NEVER);
    return arg;
}

static void *outlives_a_fault(void *arg)
{
    char byte;
    int fds[2];

    pair_of(fds);
    EXPECT_EQ(join(spawn(has_a_wrong_vector, &fds[0])).kind, MOAT_EVENT_TRAP);
    EXPECT_EQ(moat_write(fds[0], "x", 1, NEVER), 1);
    EXPECT_EQ(moat_read(fds[1], &byte, 1, NEVER), 1);
    close_both(fds);
    return arg;
}

static void a_wrong_vector_is_the_tasks_fault(const void *arg)
{
    (void)arg;
    run_real(outlives_a_fault);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(bytes_go_through),
        CHILD_CASE(calls_keep_to_the_rules),
        CHILD_CASE(a_wrong_vector_is_the_tasks_fault),
    };

    return child_cases_run("sched.vector", cases,
                           sizeof cases / sizeof cases[0], NULL);
}
