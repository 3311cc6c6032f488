/*
 * log.c: the system log.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <moat/moat.h>

#include "malloc/wrap.h"

/* Of fortified programs. */
void __syslog_chk(int priority, int flag, const char *format, ...);
void __vsyslog_chk(int priority, int flag, const char *format, va_list args);

/* --- the name of the program ------------------------------------------------
 *
 * The C library keeps the pointer, so a guest's is copied. It reads it with its
 * lock held: the host's may have become bad, with the library that it was in.
 */

/* The name that the C library has kept; NULL: none. */
static _Atomic(const char *) kept_name;

struct open_call {
    struct moat_libc_call call;
    const char *name;
    int options, facility;
};

static void open_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"openlog", NULL};
    const struct open_call *each = (const struct open_call *)call;
    void (*function)(const char *, int, int);

    moat_real_get(&real, &function);
    function(each->name, each->options, each->facility);
    if (each->name != NULL)
        atomic_store(&kept_name, each->name);
}

/* The copies stay: the host may have opened the log in between. */
static void open_copy_run(struct moat_libc_call *call)
{
    struct open_call *each = (struct open_call *)call;

    if (each->name != NULL)
        each->name = strdup(each->name);
    open_run(call);
}

MOAT_API void openlog(const char *name, int options, int facility)
{
    struct open_call each = {{.run = open_run}, name, options, facility};

    if (!moat_malloc_on_host()) {
        if (name != NULL)
            (void)moat_touch_text(name);
        each.call.run = open_copy_run;
    }
    moat_libc_call(&each.call);
}

static void close_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"closelog", NULL};
    void (*function)(void);

    (void)call;
    moat_real_get(&real, &function);
    function();
    atomic_store(&kept_name, NULL);
}

MOAT_API void closelog(void)
{
    struct moat_libc_call call = {.run = close_run};

    moat_libc_call(&call);
}

/* --- a line ----------------------------------------------------------------
 */

struct log_call {
    struct moat_libc_call call;
    int priority, flag;
    const char *format;
    va_list args;
};

static void log_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"vsyslog", NULL};
    struct log_call *each = (struct log_call *)call;
    void (*function)(int, const char *, va_list);

    moat_real_get(&real, &function);
    function(each->priority, each->format, each->args);
}

static void log_checked_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"__vsyslog_chk", NULL};
    struct log_call *each = (struct log_call *)call;
    void (*function)(int, int, const char *, va_list);

    moat_real_get(&real, &function);
    function(each->priority, each->flag, each->format, each->args);
}

static void log_text(int priority, const char *format, ...)
{
    struct log_call each = {
        .call = {.run = log_run}, .priority = priority, .format = format};

    va_start(each.args, format);
    moat_libc_call(&each.call);
    va_end(each.args);
}

/* The text is made before the lock is taken: the guest's pointers may be bad.
 */
static void log_for_guest(int priority, const char *format, va_list args)
{
    const char *name = atomic_load(&kept_name);
    char *text = NULL;

    if (name != NULL)
        (void)moat_touch_text(name);
    if (vasprintf(&text, format, args) < 0)
        return;
    log_text(priority, "%s", text);
    free(text);
}

MOAT_API void vsyslog(int priority, const char *format, va_list args)
{
    struct log_call each = {
        .call = {.run = log_run}, .priority = priority, .format = format};

    if (!moat_malloc_on_host()) {
        log_for_guest(priority, format, args);
        return;
    }
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
}

MOAT_API void __vsyslog_chk(int priority, int flag, const char *format,
                            va_list args)
{
    struct log_call each = {.call = {.run = log_checked_run},
                            .priority = priority,
                            .flag = flag,
                            .format = format};

    if (!moat_malloc_on_host()) {
        log_for_guest(priority, format, args);
        return;
    }
    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
}

MOAT_API void syslog(int priority, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsyslog(priority, format, args);
    va_end(args);
}

MOAT_API void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    __vsyslog_chk(priority, flag, format, args);
    va_end(args);
}
