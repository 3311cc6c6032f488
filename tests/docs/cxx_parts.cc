/*
 * cxx_parts.cc: what docs/cxx.md shows of values, options and the C functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string>

#include <unistd.h>

#include <moat/moat.hpp>

static volatile bool patient = true;

static void function(moat::guest<int> &self)
{
    self.yield(1);
    while (patient)
        continue;
}

static bool values_pass()
{
    moat::coroutine<int, std::string> lengths(
        [](moat::guest<int, std::string> &self, std::string word) {
            while (!word.empty())
                word = self.yield(static_cast<int>(word.size()));
        });

    auto three = lengths.resume("one");
    auto five = lengths.resume("seven");
    auto end = lengths.resume("");
    return std::get<moat::yielded<int>>(three).value == 3 &&
           std::get<moat::yielded<int>>(five).value == 5 &&
           std::holds_alternative<moat::returned<void>>(end);
}

int main()
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = moat::default_options();

    limits.resume_cpu_ns = 100'000'000;
    options.limits = &limits;
    moat::coroutine<int> co(function, options);

    if (!values_pass())
        return 1;
    auto first = co.resume();
    auto second = co.resume();
    if (!std::holds_alternative<moat::yielded<int>>(first) ||
        !std::holds_alternative<moat::trapped>(second))
        return 1;
    return moat_co_print_report(co.native_handle(), STDERR_FILENO) != MOAT_OK;
}
