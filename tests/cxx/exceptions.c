/*
 * exceptions.c: a host in C is told which exception left its guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unwind.h>

#include <moat/moat.h>

#include "throwers.h"

static int failures;

static void expect_text(const char *actual, const char *expected, int number)
{
    if (strcmp(actual, expected) == 0)
        return;
    (void)fprintf(stderr, "exception %d: '%s', not '%s'\n", number, actual,
                  expected);
    failures++;
}

static const struct {
    const char *type, *what;
} expected[THROWN] = {
    {"std::runtime_error", "the disk is full"},
    {"int", ""},
    {"(anonymous namespace)::Second", "second base"},
    {"(anonymous namespace)::Faulty", ""},
    {"char const*", ""},
    {"std::runtime_error", "once more"},
};

static void check(int number)
{
    moat_exception_info info = MOAT_EXCEPTION_INFO_INIT;
    moat_event event;
    moat_co *co;

    if (moat_co_create(&co, throw_one, NULL) != MOAT_OK ||
        moat_co_resume(co, &number, &event) != MOAT_OK ||
        event.kind != MOAT_EVENT_PANIC ||
        moat_exception_describe(event.value, &info) != MOAT_OK) {
        failures++;
        return;
    }
    failures += !info.is_cxx;
    expect_text(info.type, expected[number].type, number);
    expect_text(info.what, expected[number].what, number);
    /* The questions have changed nothing. */
    failures += uncaught_exceptions() != 0;
    _Unwind_DeleteException(event.value);
    failures += exceptions_alive() != 0;
    moat_co_destroy(co);
}

/* An exception of another language. */
static void check_foreign(void)
{
    static struct _Unwind_Exception foreign = {.exception_class = 0x1234};
    moat_exception_info info = MOAT_EXCEPTION_INFO_INIT;

    failures += moat_exception_describe(&foreign, &info) != MOAT_OK;
    failures += info.is_cxx || info.type[0] != '\0' || info.what[0] != '\0';
}

int main(void)
{
    for (int number = 0; number < THROWN; number++)
        check(number);
    check_foreign();
    if (failures != 0)
        (void)fprintf(stderr, "%d failures\n", failures);
    return failures != 0;
}
