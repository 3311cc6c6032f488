/*
 * throws.cc: a case in C++ that throws an uncaught exception out of a catch
 * clause.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdexcept>
#include <string>

#include "hcase.h"

const char *hcase_name = "throws";

int hcase_setup(long)
{
    return 0;
}

int hcase_run(void)
{
    try {
        throw std::runtime_error(std::string(5000, 'x'));
    } catch (const std::exception &) {
        throw 42;
    }
}
