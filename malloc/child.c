/*
 * child.c: new processes, programs and threads. A guest that makes one traps:
 * a forked child would be a second host, a new program would replace this one,
 * and a fault in a thread would be the host's.
 *
 * vfork returns twice, to where this file's caller is: it is left by a jump, so
 * this file is compiled such that it is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <aio.h>
#include <netdb.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/libc_call.h"
#include "malloc/real.h"

/* Names that programs have by older headers. */
pid_t __fork(void);
pid_t __vfork(void);

static void trap_guest(moat_trap_kind kind)
{
    if (moat_libc_is_guest())
        moat_trap_raise_as(kind, 0);
}

/* clang-format off */

#define REAL(result, name, ...)                                               \
    MOAT_REAL real = {#name, NULL};                             \
    result (*function)(__VA_ARGS__);                                          \
                                                                              \
    trap_guest(MOAT_TRAP_PROCESS);                                            \
    moat_real_get(&real, &function)

/* clang-format on */

/* --- processes -------------------------------------------------------------
 */

MOAT_API pid_t fork(void)
{
    REAL(pid_t, fork, void);
    return function();
}

MOAT_API pid_t __fork(void)
{
    return fork();
}

MOAT_API pid_t _Fork(void)
{
    REAL(pid_t, _Fork, void);
    return function();
}

/* Separate: a function that has passed on the address of a local is not left by
 * a jump. */
static __attribute__((noinline)) pid_t (*find_vfork(void))(void)
{
    REAL(pid_t, vfork, void);
    return function;
}

MOAT_API pid_t vfork(void)
{
    return find_vfork()();
}

MOAT_API pid_t __vfork(void)
{
    return find_vfork()();
}

MOAT_API int daemon(int no_chdir, int no_close)
{
    REAL(int, daemon, int, int);
    return function(no_chdir, no_close);
}

MOAT_API pid_t forkpty(int *terminal, char *name, const struct termios *mode,
                       const struct winsize *size)
{
    REAL(pid_t, forkpty, int *, char *, const struct termios *,
         const struct winsize *);
    return function(terminal, name, mode, size);
}

/* A child with memory of its own would be a second host if it faulted. */
MOAT_API int clone(int (*start)(void *), void *stack, int flags, void *arg, ...)
{
    MOAT_REAL real = {"clone", NULL};
    int (*function)(int (*)(void *), void *, int, void *, pid_t *, void *,
                    pid_t *);
    pid_t *of_parent, *of_child;
    void *thread_locals;
    va_list args;

    trap_guest((flags & CLONE_THREAD) != 0 ? MOAT_TRAP_THREAD
                                           : MOAT_TRAP_PROCESS);
    va_start(args, arg);
    of_parent = va_arg(args, pid_t *);
    thread_locals = va_arg(args, void *);
    of_child = va_arg(args, pid_t *);
    va_end(args);
    moat_real_get(&real, &function);
    return function(start, stack, flags, arg, of_parent, thread_locals,
                    of_child);
}

/* --- programs --------------------------------------------------------------
 */

MOAT_API int execve(const char *file, char *const args[], char *const env[])
{
    REAL(int, execve, const char *, char *const[], char *const[]);
    return function(file, args, env);
}

MOAT_API int execv(const char *file, char *const args[])
{
    REAL(int, execv, const char *, char *const[]);
    return function(file, args);
}

MOAT_API int execvp(const char *file, char *const args[])
{
    REAL(int, execvp, const char *, char *const[]);
    return function(file, args);
}

MOAT_API int execvpe(const char *file, char *const args[], char *const env[])
{
    REAL(int, execvpe, const char *, char *const[], char *const[]);
    return function(file, args, env);
}

MOAT_API int fexecve(int file, char *const args[], char *const env[])
{
    REAL(int, fexecve, int, char *const[], char *const[]);
    return function(file, args, env);
}

MOAT_API int execveat(int folder, const char *file, char *const args[],
                      char *const env[], int flags)
{
    REAL(int, execveat, int, const char *, char *const[], char *const[], int);
    return function(folder, file, args, env, flags);
}

/* Counts the arguments before the NULL that ends them. */
static size_t count_args(const char *first, va_list args)
{
    size_t count = 0;

    while (first != NULL) {
        count++;
        first = va_arg(args, char *);
    }
    return count;
}

/* Stores the arguments and the NULL. */
static void list_args(char **list, const char *first, va_list args)
{
    list[0] = (char *)first;
    for (size_t i = 0; list[i] != NULL; i++)
        list[i + 1] = va_arg(args, char *);
}

/* Ends with `args` after the NULL. */
#define LIST_ARGS(list, first)                                             \
    char **list;                                                           \
    va_list args;                                                          \
                                                                           \
    trap_guest(MOAT_TRAP_PROCESS);                                         \
    va_start(args, first);                                                 \
    list = __builtin_alloca((count_args(first, args) + 1) * sizeof *list); \
    va_end(args);                                                          \
    va_start(args, first);                                                 \
    list_args(list, first, args)

MOAT_API int execl(const char *file, const char *first, ...)
{
    LIST_ARGS(list, first);
    va_end(args);
    return execv(file, list);
}

MOAT_API int execlp(const char *file, const char *first, ...)
{
    LIST_ARGS(list, first);
    va_end(args);
    return execvp(file, list);
}

MOAT_API int execle(const char *file, const char *first, ...)
{
    char *const *env;
    LIST_ARGS(list, first);
    env = va_arg(args, char *const *);
    va_end(args);
    return execve(file, list, env);
}

/* --- threads ---------------------------------------------------------------
 */

MOAT_API int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                            void *(*start)(void *), void *arg)
{
    MOAT_REAL real = {"pthread_create", NULL};
    int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                    void *);

    trap_guest(MOAT_TRAP_THREAD);
    moat_real_get(&real, &function);
    return function(thread, attributes, start, arg);
}

MOAT_API int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    MOAT_REAL real = {"thrd_create", NULL};
    int (*function)(thrd_t *, thrd_start_t, void *);

    trap_guest(MOAT_TRAP_THREAD);
    moat_real_get(&real, &function);
    return function(thread, start, arg);
}

/* The C library's own, for what is done meanwhile: they keep the lists of that
 * for the process, and would write to memory that ended with the guest. */

/* clang-format off */

#define BY_THREAD(name, ...)                                                  \
    MOAT_REAL real = {#name, NULL};                                           \
    int (*function)(__VA_ARGS__);                                             \
                                                                              \
    trap_guest(MOAT_TRAP_THREAD);                                             \
    moat_real_get(&real, &function)

#define AIO(name, type)                                                       \
    MOAT_API int name(type *request)                                          \
    {                                                                         \
        BY_THREAD(name, type *);                                              \
        return function(request);                                             \
    }

#define AIO_FSYNC(name, type)                                                 \
    MOAT_API int name(int how, type *request)                                 \
    {                                                                         \
        BY_THREAD(name, int, type *);                                         \
        return function(how, request);                                        \
    }

#define AIO_LIST(name, type)                                                  \
    MOAT_API int name(int mode, type *const *list, int count,                 \
                      struct sigevent *event)                                 \
    {                                                                         \
        BY_THREAD(name, int, type *const *, int, struct sigevent *);          \
        return function(mode, list, count, event);                            \
    }

AIO(aio_read, struct aiocb)
AIO(aio_read64, struct aiocb64)
AIO(aio_write, struct aiocb)
AIO(aio_write64, struct aiocb64)
AIO_FSYNC(aio_fsync, struct aiocb)
AIO_FSYNC(aio_fsync64, struct aiocb64)
AIO_LIST(lio_listio, struct aiocb)
AIO_LIST(lio_listio64, struct aiocb64)

/* clang-format on */

MOAT_API int getaddrinfo_a(int mode, struct gaicb *list[], int count,
                           struct sigevent *event)
{
    BY_THREAD(getaddrinfo_a, int, struct gaicb *[], int, struct sigevent *);
    return function(mode, list, count, event);
}
