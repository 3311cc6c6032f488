/*
 * throwers.cc: guests in C++ that throw, for a host in C.
 *
 * SPDX-License-Identifier: MIT
 */
#include "throwers.h"

#include <exception>
#include <stdexcept>

namespace
{

int alive;

struct First {
    int filler[5] = {};

    First()
    {
        alive++;
    }
    First(const First &)
    {
        alive++;
    }
    First &operator=(const First &) = delete;
    virtual ~First()
    {
        alive--;
    }
};

/* std::exception is not at the object's begin. */
struct Second : First, std::exception {
    const char *what() const noexcept override
    {
        return "second base";
    }
};

struct Faulty : std::exception {
    const char *what() const noexcept override
    {
        __builtin_trap();
    }
};

} // namespace

void *throw_one(moat_co *, void *input)
{
    switch (*static_cast<int *>(input)) {
    case 0:
        throw std::runtime_error("the disk is full");
    case 1:
        throw 5;
    case 2:
        throw Second();
    case 3:
        throw Faulty();
    case 4:
        throw "a text";
    default:
        /* A dependent exception. */
        std::rethrow_exception(
            std::make_exception_ptr(std::runtime_error("once more")));
    }
}

int uncaught_exceptions()
{
    return std::uncaught_exception() ? 1 : 0;
}

int exceptions_alive()
{
    return alive;
}
