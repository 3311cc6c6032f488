/*
 * process.c: what the process has only one of: the environment, the log,
 * random numbers, functions for the exit and for a fork, named semaphores,
 * children by system and posix_spawn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Declared by no header: atexit and the compiler call them. */
int __cxa_atexit(void (*fn)(void *), void *arg, void *module);
int __cxa_at_quick_exit(void (*fn)(void *), void *module);
int __register_atfork(void (*prepare)(void), void (*parent)(void),
                      void (*child)(void), void *module);

typedef void fork_function(void);
typedef void exit_function(void *arg);
typedef void status_function(int status, void *arg);

/* clang-format off */

WRAP_3(int, setenv, NULL_OR(TEXT, a); TEXT(b), const char *, const char *, int)
WRAP_1(int, unsetenv, NULL_OR(TEXT, a), const char *)
WRAP_0(int, clearenv, NOTHING)

WRAP_0(int, rand, NOTHING)
WRAPV_1(srand, NOTHING, unsigned)
WRAP_0(long, random, NOTHING)
WRAPV_1(srandom, NOTHING, unsigned)

WRAP_3(int, __cxa_atexit, NOTHING, exit_function *, void *, void *)
WRAP_2(int, __cxa_at_quick_exit, NOTHING, exit_function *, void *)
WRAP_2(int, on_exit, NOTHING, status_function *, void *)

WRAP_1(int, system, NULL_OR(TEXT, a), const char *)
WRAP_6(int, posix_spawn,
       NULL_OR(OUT, a); TEXT(b); moat_touch_texts(e);
       NULL_OR(moat_touch_texts, f), pid_t *, const char *,
       const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
       char *const *, char *const *)
WRAP_6(int, posix_spawnp,
       NULL_OR(OUT, a); TEXT(b); moat_touch_texts(e);
       NULL_OR(moat_touch_texts, f), pid_t *, const char *,
       const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
       char *const *, char *const *)
WRAP_4(int, __register_atfork, NOTHING, fork_function *, fork_function *,
       fork_function *, void *)
WRAP_1(int, sem_close, NOTHING, sem_t *)

/* clang-format on */

struct sem_open_call {
    struct moat_libc_call call;
    const char *name;
    int flags;
    mode_t mode;
    unsigned value;
    sem_t *out;
};

static void sem_open_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"sem_open", NULL};
    struct sem_open_call *each = (struct sem_open_call *)call;
    sem_t *(*function)(const char *, int, ...);

    moat_real_get(&real, &function);
    each->out = function(each->name, each->flags, each->mode, each->value);
}

MOAT_API sem_t *sem_open(const char *name, int flags, ...)
{
    struct sem_open_call each = {
        .call = {.run = sem_open_run}, .name = name, .flags = flags};
    va_list args;

    if (!moat_malloc_on_host())
        (void)moat_touch_text(name);
    va_start(args, flags);
    if ((flags & O_CREAT) != 0) {
        each.mode = va_arg(args, mode_t);
        each.value = va_arg(args, unsigned);
    }
    va_end(args);
    moat_libc_call(&each.call);
    return each.out;
}

/* --- words ------------------------------------------------------------------
 *
 * Each expansion in another one is a recursion, so that words may need any
 * stack. If there are many, it is the guest's. */

#define MAX_EXPANSIONS 32

struct words_call {
    struct moat_libc_call call;
    const char *words;
    wordexp_t *result;
    int flags, out;
};

static void words_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"wordexp", NULL};
    struct words_call *each = (struct words_call *)call;
    int (*function)(const char *, wordexp_t *, int);

    moat_real_get(&real, &function);
    each->out = function(each->words, each->result, each->flags);
}

static size_t expansions(const char *words)
{
    size_t count = 0;

    for (; *words != '\0'; words++)
        count += *words == '$' || *words == '`';
    return count;
}

MOAT_API int wordexp(const char *words, wordexp_t *result, int flags)
{
    struct words_call each = {{.run = words_run}, words, result, flags, 0};

    if (!moat_malloc_on_host())
        (void)moat_touch_text(words);
    if (moat_malloc_on_host() || expansions(words) > MAX_EXPANSIONS) {
        words_run(&each.call);
        return each.out;
    }
    moat_touch_out(result, sizeof *result);
    moat_libc_call(&each.call);
    return each.out;
}

/* --- memory that the C library keeps ---------------------------------------
 *
 * It outlives the guest, so it must not be the guest's. */

/* The C library takes a copy. */
MOAT_API int putenv(char *string)
{
    MOAT_REAL real = {"putenv", NULL};
    const char *value;
    char *name;
    int result;

    if (moat_malloc_on_host()) {
        int (*function)(char *);

        moat_real_get(&real, &function);
        return function(string);
    }
    (void)moat_touch_text(string);
    value = strchr(string, '=');
    if (value == NULL)
        return unsetenv(string);
    name = strndup(string, (size_t)(value - string));
    if (name == NULL)
        return -1;
    result = setenv(name, value + 1, 1);
    free(name);
    return result;
}

/* The C library would go on to use the guest's memory for the state. */
MOAT_API char *initstate(unsigned seed, char *state, size_t bytes)
{
    MOAT_REAL real = {"initstate", NULL};
    char *(*function)(unsigned, char *, size_t);

    if (!moat_malloc_on_host()) {
        moat_touch_out(state, bytes);
        errno = EPERM;
        return NULL;
    }
    moat_real_get(&real, &function);
    return function(seed, state, bytes);
}

MOAT_API char *setstate(char *state)
{
    MOAT_REAL real = {"setstate", NULL};
    char *(*function)(char *);

    if (!moat_malloc_on_host()) {
        moat_touch_in(state, sizeof(int32_t));
        errno = EPERM;
        return NULL;
    }
    moat_real_get(&real, &function);
    return function(state);
}
