/*
 * glibc_ends.c: a heap misused, checks that fail, a process ended. One case per
 * build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include "hcase.h"

const char *hcase_name = NAME;

int hcase_setup(long n)
{
    (void)n;
    return 0;
}

#if defined CASE_dblfree
int hcase_run(void)
{
    void *volatile a = malloc(5000);
    void *volatile b = malloc(5000);

    free(a);
    free(a);
    free(b);
    return 0;
}
#elif defined CASE_heapsmash
int hcase_run(void)
{
    char *volatile a = malloc(1500);
    char *b = malloc(1500), *c = malloc(64);
    volatile char *bytes = a;

    for (int i = 1496; i < 1520; i++)
        bytes[i] = 0x41;
    free(b);
    free(c);
    free(a);
    return 0;
}
#elif defined CASE_freebad
int hcase_run(void)
{
    char *volatile bad = (char *)0x100010;

    free(bad);
    return 0;
}
#elif defined CASE_fortify
void *__memcpy_chk(void *to, const void *from, size_t bytes, size_t room);

int hcase_run(void)
{
    static char from[64];
    volatile size_t bytes = 16;
    char to[8];

    (void)__memcpy_chk(to, from, bytes, sizeof to);
    return to[0];
}
#elif defined CASE_assert
void __assert_fail(const char *assertion, const char *file, unsigned line,
                   const char *function) __attribute__((noreturn));

int hcase_run(void)
{
    __assert_fail("0", "x.c", 1, "f");
}
#elif defined CASE_stacksmash
void __stack_chk_fail(void) __attribute__((noreturn));

int hcase_run(void)
{
    __stack_chk_fail();
}
#elif defined CASE_exit
int hcase_run(void)
{
    exit(3);
}
#endif
