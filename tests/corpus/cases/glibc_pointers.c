/*
 * glibc_pointers.c: bad pointers given to the C library: it faults, most often
 * with a lock of its own held. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = NAME;

/* Never accessible; volatile, for the compiler warns of what it knows. */
static void *volatile bad __attribute__((unused)) = (void *)0x10;

#if defined CASE_printf_prec
/* Not a pointer: so many digits that their stack is taken in one large step. */
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/dev/null", "w");
    return file == NULL;
}

int hcase_run(void)
{
    return fprintf(file, "%.*f", 15000, 1.0 / 3) < 0;
}
#elif defined CASE_printf_badstr
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return fprintf(stdout, "x%s", (const char *)bad) < 0;
}
#elif defined CASE_fread
static FILE *file;

int hcase_setup(long n)
{
    (void)n;
    file = fopen("/proc/self/maps", "r");
    return file == NULL;
}

int hcase_run(void)
{
    return fread(bad, 1, 100, file) != 100;
}
#elif defined CASE_fscanf
static FILE *file;

int hcase_setup(long n)
{
    static char text[] = "12 13";

    (void)n;
    file = fmemopen(text, sizeof text - 1, "r");
    return file == NULL;
}

int hcase_run(void)
{
    return fscanf(file, "%d", (int *)bad) != 1;
}
#elif defined CASE_localtime
#    include <time.h>

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    time_t time = 12345;

    return localtime_r(&time, bad) == NULL;
}
#elif defined CASE_getgrnam
#    include <grp.h>

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return getgrnam(bad) == NULL;
}
#elif defined CASE_getpwnam
#    include <pwd.h>

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return getpwnam(bad) == NULL;
}
#elif defined CASE_syslog
#    include <syslog.h>

int hcase_setup(long n)
{
    (void)n;
    openlog(bad, 0, LOG_USER);
    return 0;
}

int hcase_run(void)
{
    syslog(LOG_DEBUG, "x");
    return 0;
}
#elif defined CASE_setstate
int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return setstate(bad) == NULL;
}
#elif defined CASE_dlsym
#    include <dlfcn.h>

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

int hcase_run(void)
{
    return dlsym(bad, "x") == NULL;
}
#elif defined CASE_qsort
/* qsort has memory of its own by the time it compares. */
static const char *words[2000];

int hcase_setup(long n)
{
    (void)n;
    for (size_t i = 0; i < 2000; i++)
        words[i] = "x";
    words[1000] = NULL;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int hcase_run(void)
{
    qsort(words, 2000, sizeof words[0], compare);
    return 0;
}
#endif
