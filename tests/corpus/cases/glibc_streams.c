/*
 * glibc_streams.c: streams and texts of the C library, with functions and
 * memory of the caller's. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <argz.h>
#include <iconv.h>
#include <locale.h>
#include <monetary.h>
#include <netdb.h>
#include <obstack.h>
#include <printf.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "hcase.h"

const char *hcase_name = NAME;

/* Never accessible; volatile, for the compiler warns of what it knows. */
static char *volatile bad __attribute__((unused)) = (char *)0x10;

/* Not optimised into a loop. */
__attribute__((unused, noinline)) static int descend(int depth)
{
    volatile char frame[200];

    frame[0] = (char)depth;
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

#if defined CASE_cookie
/* The functions would be called by the host: no such stream is opened. */
static ssize_t write_bad(void *cookie, const char *text, size_t bytes)
{
    (void)cookie;
    (void)text;
    return *bad + (ssize_t)bytes;
}

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    cookie_io_functions_t functions = {.write = write_bad};
    FILE *file = fopencookie(NULL, "w", functions);

    return file == NULL ? 1 : fputs("x", file) + fclose(file);
}
#elif defined CASE_printf_own
/* A conversion of the program's. */
static int print_own(FILE *file, const struct printf_info *info,
                     const void *const *args)
{
    (void)info;
    return fputs("own", file) + **(const char *const *)args[0];
}

static int describe(const struct printf_info *info, size_t n, int *types,
                    int *sizes)
{
    (void)info;
    if (n > 0) {
        types[0] = PA_POINTER;
        sizes[0] = sizeof(void *);
    }
    return 1;
}

static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "w");
    return file == NULL || register_printf_specifier('Y', print_own, describe);
}

int hcase_run(void)
{
    static const char *volatile format = "%d %Y";

#    pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return fprintf(file, format, 1, bad) < 0;
}
#elif defined CASE_printf_count
/* Where the number of bytes written goes. */
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "w");
    return file == NULL;
}

int hcase_run(void)
{
    return fprintf(file, "%d%n", 1, (int *)(void *)bad) < 0;
}
#elif defined CASE_printf_wide
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "w");
    return file == NULL;
}

int hcase_run(void)
{
    return fwprintf(file, L"%ls", (const wchar_t *)(void *)bad) < 0;
}
#elif defined CASE_scan_end
/* At the end of its input. */
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "r");
    return file == NULL;
}

int hcase_run(void)
{
    char text[20];

    return fscanf(file, "%*d %19[^]x] %hhd", text, (signed char *)bad) != 2;
}
#elif defined CASE_scan_wide
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "r");
    return file == NULL;
}

int hcase_run(void)
{
    long number;

    return fwscanf(file, L"%ld %lc", &number, (wint_t *)(void *)bad) != 2;
}
#elif defined CASE_memory_stream
/* A stream over memory of the guest's, left open. */
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);

    if (file == NULL || fprintf(file, "%1000d", 1) < 0)
        return 1;
    return descend(0) + fclose(file);
}
#elif defined CASE_locked_stream
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "w");
    return file == NULL;
}

int hcase_run(void)
{
    flockfile(file);
    (void)putc_unlocked('x', file);
    return descend(0);
}
#elif defined CASE_iconv
/* The conversion runs into memory that is not the caller's. */
static iconv_t conversion;

int hcase_setup(long n)
{
    (void)n;
    conversion = iconv_open("UTF-16", "EUC-JP");
    return conversion == (iconv_t)-1;
}

int hcase_run(void)
{
    char in[] = "text", *from = in, *to = bad;
    size_t left = 4, room = 100;

    return iconv(conversion, &from, &left, &to, &room) == (size_t)-1;
}
#elif defined CASE_locale
/* The thread's locale is another one when the guest faults. */
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    static locale_t locale;
    char text[100];

    if (locale == (locale_t)0)
        locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (locale == (locale_t)0)
        return 1;
    (void)uselocale(locale);
    (void)strfmon(text, sizeof text, "%n", 1.5);
    return (int)mbstowcs((wchar_t *)(void *)bad, "text", 4);
}
#elif defined CASE_strtok
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    char *text = strdup("one two three");

    return strtok(text, " ") == NULL || strtok(NULL, bad) == NULL;
}
#elif defined CASE_asctime
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return asctime((const struct tm *)(void *)bad) == NULL;
}
#elif defined CASE_getopt
/* Its position within an argument stays in a variable of the C library. */
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    char *args[] = {strdup("program"), strdup("-abc"), bad, NULL};

    optind = 1;
    while (getopt(3, args, "abc") != -1)
        continue;
    return 0;
}
#elif defined CASE_getaddrinfo
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found = NULL;

    if (getaddrinfo("127.0.0.1", "80", &hints, &found) != 0)
        return 1;
    freeaddrinfo(found);
    return getaddrinfo("127.0.0.1", bad, &hints, &found);
}
#elif defined CASE_spawn
/* A program is started, with bad arguments. */
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    char *args[] = {(char *)"true", NULL};
    pid_t child;
    int status;

    if (posix_spawnp(&child, "true", NULL, NULL, args, environ) != 0 ||
        waitpid(child, &status, 0) != child)
        return 1;
    return posix_spawnp(&child, "true", NULL, NULL, (char *const *)(void *)bad,
                        environ);
}
#elif defined CASE_obstack
#    define obstack_chunk_alloc malloc
#    define obstack_chunk_free  free

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

static int grow_deep(struct obstack *stack, int depth)
{
    volatile int below;

    if (obstack_printf(stack, "%d %s", depth, "deep") < 0)
        return 1;
    below = depth < 0 ? 0 : grow_deep(stack, depth + 1);
    return below + 1;
}

int hcase_run(void)
{
    struct obstack stack;

    obstack_init(&stack);
    return grow_deep(&stack, 0);
}
#elif defined CASE_argz
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    char *list = NULL;
    size_t bytes = 0;

    for (int i = 0; i < 100; i++) {
        if (argz_add(&list, &bytes, i == 99 ? bad : "an argument") != 0)
            return 1;
    }
    return 0;
}
#endif
