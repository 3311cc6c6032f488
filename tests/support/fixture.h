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

/* One test. The child must end as the last two fields say: killed by `signo`,
 * or, if that is 0, by exit with `exit_status`; a failed expectation exits with
 * CHILD_FAILED. */
struct child_case {
    const char *name;
    void (*body)(const void *arg);
    const void *arg;
    const char *skip; /* why it cannot run in this build; NULL: it runs */
    int signo;
    int exit_status;
};

#define CHILD_FAILED 97

/* A case that must end well and whose name is its function's. */
#define CHILD_CASE(function)                  \
    {                                         \
#        function, function, NULL, NULL, 0, 0 \
    }

/* Called in each child before its body; NULL: nothing is. See manual.c. */
extern void (*child_prepare)(void);

/* Runs all cases under cmocka; the result is main's. `filter` is a cmocka name
 * pattern, NULL for all. */
int child_cases_run(const char *group, const struct child_case *cases,
                    size_t count, const char *filter);

/* Says where the next expectations stand; part of each message. */
void expect_context(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* An expectation that does not hold is printed and fails the child at its end;
 * the body goes on. Both give back whether it held. */
bool expect_true(bool holds, const char *what, const char *file, int line);
bool expect_equal(uint64_t actual, uint64_t expected, const char *what,
                  const char *file, int line);
bool expect_text(const char *actual, const char *expected, const char *file,
                 int line);

/* How many expectations have failed in this process. */
int expect_failures(void);

/* Ends the child at once, failed if an expectation failed. */
_Noreturn void child_exit(void);

#define EXPECT(condition) \
    expect_true((condition), #condition, __FILE__, __LINE__)
#define EXPECT_EQ(actual, expected)                        \
    expect_equal((uint64_t)(actual), (uint64_t)(expected), \
                 #actual " == " #expected, __FILE__, __LINE__)
#define EXPECT_STR(actual, expected) \
    expect_text((actual), (expected), __FILE__, __LINE__)

/* For what the rest of the body stands on: ends the child if it does not hold.
 */
#define REQUIRE(condition)      \
    do {                        \
        if (!EXPECT(condition)) \
            child_exit();       \
    } while (0)

#endif
