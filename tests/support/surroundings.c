/*
 * surroundings.c: reads the thread's signal state and /proc/self.
 *
 * Reads /proc with plain read(2), so that looking neither allocates nor maps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "surroundings.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

/* The kernel's SA_RESTORER: the C library adds it to each handler it
 * installs. */
#define RESTORER 0x04000000u

void thread_signals_note(struct thread_signals *out)
{
    memset(out, 0, sizeof(*out));
    (void)pthread_sigmask(SIG_BLOCK, NULL, &out->mask);
    (void)sigaltstack(NULL, &out->alternate);
}

void thread_signals_expect_kept(const struct thread_signals *before)
{
    struct thread_signals now;

    thread_signals_note(&now);
    for (int signo = 1; signo < NSIG; signo++)
        EXPECT_EQ(sigismember(&now.mask, signo),
                  sigismember(&before->mask, signo));
    EXPECT_EQ(now.alternate.ss_sp, before->alternate.ss_sp);
    EXPECT_EQ(now.alternate.ss_size, before->alternate.ss_size);
    EXPECT_EQ((unsigned)now.alternate.ss_flags,
              (unsigned)before->alternate.ss_flags);
}

void dispositions_note(struct dispositions *out)
{
    memset(out, 0, sizeof(*out));
    for (int signo = 1; signo <= 64; signo++)
        (void)sigaction(signo, NULL, &out->action[signo]);
}

void dispositions_expect_kept(const struct dispositions *before)
{
    static struct dispositions now;

    dispositions_note(&now);
    for (int signo = 1; signo <= 64; signo++) {
        const struct sigaction *a = &now.action[signo];
        const struct sigaction *b = &before->action[signo];

        EXPECT(a->sa_handler == b->sa_handler);
        EXPECT_EQ((unsigned)a->sa_flags & ~RESTORER,
                  (unsigned)b->sa_flags & ~RESTORER);
    }
}

int descriptors_open(void)
{
    char entries[4096];
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int count = 0;
    long length;

    if (fd < 0)
        return -1;
    while ((length = syscall(SYS_getdents64, fd, entries, sizeof(entries))) >
           0) {
        for (long at = 0; at < length; count++)
            at += *(unsigned short *)(void *)(entries + at + 16);
    }
    (void)close(fd);
    return count - 3; /* without ".", ".." and the descriptor just closed */
}

int mappings_present(void)
{
    char text[4096];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    int lines = 0;
    ssize_t length;

    if (fd < 0)
        return -1;
    while ((length = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < length; i++)
            lines += text[i] == '\n';
    }
    (void)close(fd);
    return lines;
}

size_t resident_bytes(void)
{
    char text[128] = {0};
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length;
    char *second;

    if (fd < 0)
        return 0;
    length = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    second = length > 0 ? strchr(text, ' ') : NULL;
    if (second == NULL)
        return 0;
    return strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}
