/*
 * fixture.h: tests whose bodies run in a forked child, with a time limit.
 *
 * A body may fault, install signal handlers and die; cmocka, in the parent,
 * only compares how the child ended with how it should have ended. cmocka puts
 * its own handlers around each test, so the child starts by setting every
 * disposition to its default.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#    define UNDER_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define UNDER_ASAN 1
#    endif
#endif
#ifndef UNDER_ASAN
#    define UNDER_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#    define UNDER_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define UNDER_TSAN 1
#    endif
#endif
#ifndef UNDER_TSAN
#    define UNDER_TSAN 0
#endif

/* Where guests have threads of their own, the host's clock stands still while
 * they run. */
#define CLOCK_WITH_GUESTS \
    (SWITCH_BY_THREADS ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_THREAD_CPUTIME_ID)

/* Why a case with a signal to a thread, as pthread_kill sends it, cannot run:
 * the thread waits while its guest runs, and its signal too. */
#define TO_THREAD (SWITCH_BY_THREADS ? "the signal waits for its thread" : NULL)

/* One test. The last two fields give the expected end of the child: killed by
 * `signo`, or, if that is 0, an exit with `exit_status`. A failed expectation
 * exits with CHILD_FAILED. */
struct child_case {
    const char *name;
    void (*body)(const void *arg);
    const void *arg;
    const char *skip; /* why it cannot run in this build, or NULL */
    int signo;
    int exit_status;
};

#define CHILD_FAILED 97

/* A case that must exit with 0, named after its function. */
#define CHILD_CASE(function)                  \
    {                                         \
#        function, function, NULL, NULL, 0, 0 \
    }

/* Called in each child before its body; may be NULL. See manual.c. */
extern void (*child_prepare)(void);

/* Runs all cases under cmocka and returns main's result. `filter` is a cmocka
 * name pattern, or NULL for all cases. */
int child_cases_run(const char *group, const struct child_case *cases,
                    size_t count, const char *filter);

/* Sets a context that is printed in the messages of later expectations. */
void expect_context(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A failed expectation is printed and makes the child fail when it ends; the
 * body continues. Both return whether the expectation held. */
bool expect_true(bool holds, const char *what, const char *file, int line);
bool expect_equal(uint64_t actual, uint64_t expected, const char *what,
                  const char *file, int line);
bool expect_text(const char *actual, const char *expected, const char *file,
                 int line);

/* Returns the number of expectations that have failed in this process. */
int expect_failures(void);

/* Ends the child of a case that cannot run here; the reason is printed. */
_Noreturn void child_leave_out(const char *reason);

/* Ends the child at once; it fails if any expectation has failed. */
_Noreturn void child_exit(void);

#define EXPECT(condition) \
    expect_true((condition), #condition, __FILE__, __LINE__)
#define EXPECT_EQ(actual, expected)                        \
    expect_equal((uint64_t)(actual), (uint64_t)(expected), \
                 #actual " == " #expected, __FILE__, __LINE__)
#define EXPECT_STR(actual, expected) \
    expect_text((actual), (expected), __FILE__, __LINE__)

/* For conditions on which the rest of the body depends: a failure ends the
 * child. */
#define REQUIRE(condition)      \
    do {                        \
        if (!EXPECT(condition)) \
            child_exit();       \
    } while (0)

#endif
