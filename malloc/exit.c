/*
 * exit.c: functions that end the process or the thread. A guest that calls one
 * traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <err.h>
#include <errno.h>
#include <error.h>
#include <libintl.h>
#include <obstack.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include <moat/moat.h>

#include "malloc/format.h"
#include "malloc/wrap.h"

/* Of <assert.h>, which declares it only where assertions are compiled. */
_Noreturn void __assert_fail(const char *text, const char *file, unsigned line,
                             const char *function);
_Noreturn void __assert_perror_fail(int number, const char *file, unsigned line,
                                    const char *function);
_Noreturn void __assert(const char *text, const char *file, int line);

/* clang-format off */

/* A function that does not return, and takes one argument. */
#define ENDS(name, kind, code, type)                                          \
    MOAT_API _Noreturn void name(type a)                                      \
    {                                                                         \
        MOAT_REAL real = {#name, NULL};                         \
        void (*function)(type);                                               \
                                                                              \
        if (moat_libc_is_guest())                                           \
            moat_trap_raise_as(kind, code);                                   \
        moat_real_get(&real, &function);                                      \
        function(a);                                                          \
        __builtin_unreachable();                                              \
    }

ENDS(exit, MOAT_TRAP_EXIT, a, int)
ENDS(_exit, MOAT_TRAP_EXIT, a, int)
ENDS(_Exit, MOAT_TRAP_EXIT, a, int)
ENDS(quick_exit, MOAT_TRAP_EXIT, a, int)
ENDS(pthread_exit, MOAT_TRAP_THREAD_EXIT, 0, void *)
ENDS(thrd_exit, MOAT_TRAP_THREAD_EXIT, 0, int)

/* clang-format on */

/* The thread would end at its next cancellation point. */
MOAT_API int pthread_cancel(pthread_t thread)
{
    MOAT_REAL real = {"pthread_cancel", NULL};
    int (*function)(pthread_t);

    if (moat_libc_is_guest())
        moat_trap_raise_as(MOAT_TRAP_THREAD_EXIT, 0);
    moat_real_get(&real, &function);
    return function(thread);
}

/* --- abort -----------------------------------------------------------------
 *
 * The C library's raises a signal, from which the engine makes a trap if one is
 * allowed: the engine itself calls abort where none is. */

static void abort_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"abort", NULL};
    void (*function)(void);

    (void)call;
    moat_real_get(&real, &function);
    function();
}

MOAT_API _Noreturn void abort(void)
{
    struct moat_libc_call call = {.run = abort_run};

    if (moat_libc_is_guest())
        moat_libc_call(&call);
    else
        abort_run(&call);
    __builtin_unreachable();
}

struct assert_call {
    struct moat_libc_call call;
    const char *text, *file, *function;
    unsigned line;
};

static void assert_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"__assert_fail", NULL};
    const struct assert_call *each = (const struct assert_call *)call;
    void (*function)(const char *, const char *, unsigned, const char *);

    moat_real_get(&real, &function);
    function(each->text, each->file, each->line, each->function);
}

/* Prints, then calls its own abort. */
MOAT_API _Noreturn void __assert_fail(const char *text, const char *file,
                                      unsigned line, const char *function)
{
    struct assert_call each = {
        {.run = assert_run, .stream = stderr}, text, file, function, line};

    moat_libc_call(&each.call);
    __builtin_unreachable();
}

struct assert_number_call {
    struct moat_libc_call call;
    int number;
    const char *file, *function;
    unsigned line;
};

static void assert_number_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"__assert_perror_fail", NULL};
    const struct assert_number_call *each =
        (const struct assert_number_call *)call;
    void (*function)(int, const char *, unsigned, const char *);

    moat_real_get(&real, &function);
    function(each->number, each->file, each->line, each->function);
}

MOAT_API _Noreturn void __assert_perror_fail(int number, const char *file,
                                             unsigned line,
                                             const char *function)
{
    struct assert_number_call each = {
        {.run = assert_number_run, .stream = stderr},
        number,
        file,
        function,
        line};

    moat_libc_call(&each.call);
    __builtin_unreachable();
}

/* The name in older standards. */
MOAT_API _Noreturn void __assert(const char *text, const char *file, int line)
{
    __assert_fail(text, file, (unsigned)line, NULL);
}

/* --- obstacks ---------------------------------------------------------------
 *
 * The C library's handler for a failed allocation calls its own exit. */

static void end_obstack(void)
{
    (void)fprintf(stderr, "%s\n", dgettext("libc", "memory exhausted"));
    exit(obstack_exit_failure);
}

__attribute__((constructor)) static void replace_handler(void)
{
    obstack_alloc_failed_handler = end_obstack;
}

/* --- messages that end the process -----------------------------------------
 */

struct warn_call {
    struct moat_libc_call call;
    struct moat_real *real;
    const char *format;
    va_list args;
};

static void warn_run(struct moat_libc_call *call)
{
    struct warn_call *each = (struct warn_call *)call;
    void (*function)(const char *, va_list);

    moat_real_get(each->real, &function);
    function(each->format, each->args);
}

static void print(struct moat_real *real, const char *format, va_list args)
{
    struct warn_call each = {.call = {.run = warn_run, .stream = stderr},
                             .real = real,
                             .format = format};

    va_copy(each.args, args);
    moat_libc_call(&each.call);
    va_end(each.args);
}

MOAT_API void vwarn(const char *format, va_list args)
{
    MOAT_REAL real = {"vwarn", NULL};

    print(&real, format, args);
}

MOAT_API void vwarnx(const char *format, va_list args)
{
    MOAT_REAL real = {"vwarnx", NULL};

    print(&real, format, args);
}

MOAT_API void warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vwarn(format, args);
    va_end(args);
}

MOAT_API void warnx(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vwarnx(format, args);
    va_end(args);
}

MOAT_API _Noreturn void verr(int status, const char *format, va_list args)
{
    vwarn(format, args);
    exit(status);
}

MOAT_API _Noreturn void verrx(int status, const char *format, va_list args)
{
    vwarnx(format, args);
    exit(status);
}

MOAT_API _Noreturn void err(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    verr(status, format, args);
}

MOAT_API _Noreturn void errx(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    verrx(status, format, args);
}

/* The text is made before a lock is taken: a guest's pointers may be bad. */
struct error_call {
    struct moat_libc_call call;
    int number;
    const char *file, *text;
    unsigned line;
};

static void error_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"error", NULL};
    const struct error_call *each = (const struct error_call *)call;
    void (*function)(int, int, const char *, ...);

    moat_real_get(&real, &function);
    function(0, each->number, "%s", each->text);
}

static void error_at_line_run(struct moat_libc_call *call)
{
    MOAT_REAL real = {"error_at_line", NULL};
    const struct error_call *each = (const struct error_call *)call;
    void (*function)(int, int, const char *, unsigned, const char *, ...);

    moat_real_get(&real, &function);
    function(0, each->number, each->file, each->line, "%s", each->text);
}

/* Without memory for the text, its format is what is left to say. */
static void print_error(struct error_call *each, const char *format,
                        va_list args)
{
    int error = errno;
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    each->text = text != NULL ? text : format;
    errno = error;
    each->call.stream = stderr;
    moat_libc_call(&each->call);
    free(text);
}

MOAT_API void error(int status, int number, const char *format, ...)
{
    struct error_call each = {.call = {.run = error_run}, .number = number};
    va_list args;

    va_start(args, format);
    print_error(&each, format, args);
    va_end(args);
    if (status != 0)
        exit(status);
}

MOAT_API void error_at_line(int status, int number, const char *file,
                            unsigned line, const char *format, ...)
{
    struct error_call each = {.call = {.run = error_at_line_run},
                              .number = number,
                              .file = file,
                              .line = line};
    va_list args;

    if (file != NULL && !moat_malloc_on_host())
        moat_touch_text(file);
    va_start(args, format);
    print_error(&each, format, args);
    va_end(args);
    if (status != 0)
        exit(status);
}
