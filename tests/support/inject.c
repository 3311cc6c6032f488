/*
 * inject.c: the wrappers. Each checks whether this call is the one to fail.
 *
 * free and munmap are wrapped only for the accounts: they do not fail in a way
 * that a caller could handle.
 *
 * SPDX-License-Identifier: MIT
 */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

static unsigned turn; /* the number of the call that fails; 0: none */
static unsigned calls;
static bool go_on; /* later calls fail too */
static const char *victim = "none";
static long blocks, mapped;

void inject_arm(unsigned n, bool on)
{
    turn = n;
    go_on = on;
    calls = 0;
    victim = "none";
}

unsigned inject_disarm(void)
{
    turn = 0;
    return calls;
}

const char *inject_victim(void)
{
    return victim;
}

long inject_live_blocks(void)
{
    return blocks;
}

long inject_live_mapped_bytes(void)
{
    return mapped;
}

bool inject_fails(const char *name, int error)
{
    if (turn == 0 || ++calls < turn || (calls > turn && !go_on))
        return false;
    if (calls == turn)
        victim = name;
    errno = error;
    return true;
}

/* Fails once only: without sigaction, handlers that are half installed could
 * not be removed again. */
static bool fails_once(const char *name, int error)
{
    bool on = go_on, failed;

    go_on = false;
    failed = inject_fails(name, error);
    go_on = on;
    return failed;
}

/* Names that begin with two underscores belong to the linker's --wrap. */
#define WRAPPED(result, name, parameters) \
    result __real_##name parameters;      \
    result __wrap_##name parameters;      \
    result __wrap_##name parameters

WRAPPED(void *, malloc, (size_t size))
{
    void *block = inject_fails("malloc", ENOMEM) ? NULL : __real_malloc(size);

    blocks += block != NULL;
    return block;
}

WRAPPED(void *, calloc, (size_t count, size_t size))
{
    void *block =
        inject_fails("calloc", ENOMEM) ? NULL : __real_calloc(count, size);

    blocks += block != NULL;
    return block;
}

WRAPPED(void *, realloc, (void *old, size_t size))
{
    void *block =
        inject_fails("realloc", ENOMEM) ? NULL : __real_realloc(old, size);

    blocks += block != NULL && old == NULL;
    return block;
}

WRAPPED(char *, strdup, (const char *text))
{
    char *copy = inject_fails("strdup", ENOMEM) ? NULL : __real_strdup(text);

    blocks += copy != NULL;
    return copy;
}

WRAPPED(void, free, (void *block))
{
    blocks -= block != NULL;
    __real_free(block);
}

WRAPPED(void *, mmap,
        (void *address, size_t bytes, int protection, int flags, int fd,
         off_t offset))
{
    void *mapping;

    if (inject_fails("mmap", ENOMEM))
        return MAP_FAILED;
    mapping = __real_mmap(address, bytes, protection, flags, fd, offset);
    if (mapping != MAP_FAILED && !(flags & MAP_FIXED))
        mapped += (long)bytes;
    return mapping;
}

WRAPPED(int, munmap, (void *address, size_t bytes))
{
    mapped -= (long)bytes;
    return __real_munmap(address, bytes);
}

WRAPPED(int, mprotect, (void *address, size_t bytes, int protection))
{
    return inject_fails("mprotect", ENOMEM)
               ? -1
               : __real_mprotect(address, bytes, protection);
}

WRAPPED(int, madvise, (void *address, size_t bytes, int advice))
{
    return inject_fails("madvise", ENOMEM)
               ? -1
               : __real_madvise(address, bytes, advice);
}

WRAPPED(ssize_t, process_madvise,
        (int pidfd, const struct iovec *parts, size_t count, int advice,
         unsigned flags))
{
    return inject_fails("process_madvise", ENOMEM)
               ? -1
               : __real_process_madvise(pidfd, parts, count, advice, flags);
}

WRAPPED(int, mincore, (void *address, size_t bytes, unsigned char *words))
{
    return inject_fails("mincore", EAGAIN)
               ? -1
               : __real_mincore(address, bytes, words);
}

WRAPPED(int, ioctl, (int fd, unsigned long request, void *arg))
{
    return inject_fails("ioctl", EINVAL) ? -1 : __real_ioctl(fd, request, arg);
}

WRAPPED(int, sigaction,
        (int signo, const struct sigaction *action, struct sigaction *old))
{
    return fails_once("sigaction", EINVAL)
               ? -1
               : __real_sigaction(signo, action, old);
}

WRAPPED(int, sigaltstack, (const stack_t *stack, stack_t *old))
{
    return inject_fails("sigaltstack", ENOMEM) ? -1
                                               : __real_sigaltstack(stack, old);
}

WRAPPED(int, timer_create,
        (clockid_t clock, struct sigevent *event, timer_t *timer))
{
    return inject_fails("timer_create", EAGAIN)
               ? -1
               : __real_timer_create(clock, event, timer);
}

WRAPPED(int, timer_settime,
        (timer_t timer, int flags, const struct itimerspec *when,
         struct itimerspec *old))
{
    return inject_fails("timer_settime", EINVAL)
               ? -1
               : __real_timer_settime(timer, flags, when, old);
}

WRAPPED(int, clock_gettime, (clockid_t clock, struct timespec *now))
{
    return inject_fails("clock_gettime", EPERM)
               ? -1
               : __real_clock_gettime(clock, now);
}

WRAPPED(ssize_t, getrandom, (void *to, size_t bytes, unsigned flags))
{
    return inject_fails("getrandom", ENOSYS)
               ? -1
               : __real_getrandom(to, bytes, flags);
}

WRAPPED(int, pthread_key_create, (pthread_key_t * key, void (*end)(void *)))
{
    return inject_fails("pthread_key_create", EAGAIN)
               ? EAGAIN
               : __real_pthread_key_create(key, end);
}

WRAPPED(int, pthread_setspecific, (pthread_key_t key, const void *value))
{
    return inject_fails("pthread_setspecific", ENOMEM)
               ? ENOMEM
               : __real_pthread_setspecific(key, value);
}

WRAPPED(int, pthread_atfork,
        (void (*prepare)(void), void (*parent)(void), void (*child)(void)))
{
    return inject_fails("pthread_atfork", ENOMEM)
               ? ENOMEM
               : __real_pthread_atfork(prepare, parent, child);
}

WRAPPED(ssize_t, pread, (int fd, void *to, size_t bytes, off_t offset))
{
    return inject_fails("pread", EIO) ? -1
                                      : __real_pread(fd, to, bytes, offset);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    int mode = 0;

    va_start(rest, flags);
    if (flags & O_CREAT)
        mode = va_arg(rest, int);
    va_end(rest);
    return inject_fails("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}
