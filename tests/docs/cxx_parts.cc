/*
 * cxx_parts.cc: what docs/cxx.md shows of options and of the C functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include <moat/moat.hpp>

static volatile bool patient = true;

static void function(moat::guest<int> &self)
{
    self.yield(1);
    while (patient)
        continue;
}

int main()
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = moat::default_options();

    limits.resume_cpu_ns = 100'000'000;
    options.limits = &limits;
    moat::coroutine<int> co(function, options);

    auto first = co.resume();
    auto second = co.resume();
    if (!std::holds_alternative<moat::yielded<int>>(first) ||
        !std::holds_alternative<moat::trapped>(second))
        return 1;
    return moat_co_print_report(co.native_handle(), STDERR_FILENO) != MOAT_OK;
}
