/*
 * exceptions.cc: libstdc++, which throws, and recurses into regular
 * expressions. One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <regex>
#include <stdexcept>
#include <string>

#include "hcase.h"

const char *hcase_name = NAME;

#if defined CASE_regex
static std::string *text;

int hcase_setup(long n)
{
    text = new std::string(n != 0 ? (size_t)n : 100000, 'a');
    return 0;
}

int hcase_run(void)
{
    std::regex pattern("(a|b)*c");

    return std::regex_match(*text, pattern);
}
#else
int hcase_setup(long)
{
    return 0;
}

/* A bad expression, at the end of a good one. */
[[maybe_unused]] static int compile(void)
{
    std::regex pattern("(one|two|three)[a-z");

    return 0;
}
#    if defined CASE_uncaught
int hcase_run(void)
{
    return compile();
}
#    elif defined CASE_terminate
static int never(void) noexcept
{
    return compile();
}

int hcase_run(void)
{
    return never();
}
#    elif defined CASE_handler
/* The stack ends while an exception is handled and another one is thrown. */
static int descend(const std::string &name)
{
    try {
        return compile();
    } catch (const std::regex_error &error) {
        return descend(name + error.what()) + 1;
    }
}

int hcase_run(void)
{
    return descend("x");
}
#    elif defined CASE_work
int hcase_run(void)
{
    try {
        return compile() + 1;
    } catch (const std::regex_error &error) {
        return error.code() != std::regex_constants::error_brack;
    }
}
#    endif
#endif
