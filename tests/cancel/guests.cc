/*
 * guests.cc: guests in C++: destructors and catch clauses.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cxxabi.h>
#include <exception>
#include <stdexcept>

#include "guests.h"

#define NOINLINE __attribute__((noinline))

namespace
{

struct noted {
    char letter;
    explicit noted(char which) : letter(which)
    {
    }
    noted(const noted &) = delete;
    noted &operator=(const noted &) = delete;
    ~noted()
    {
        note(letter);
    }
};

NOINLINE void descend(moat_co *self, char letter)
{
    noted outer(letter);

    if (letter > 'a') {
        descend(self, static_cast<char>(letter - 1));
    } else {
        noted inner('i');
        moat_co_yield(self, nullptr);
        note('!');
    }
    note('!');
}

NOINLINE void never_throws(moat_co *self) noexcept
{
    noted mine('n');

    descend(self, 'a');
}

struct yields {
    moat_co *self;
    ~yields()
    {
        noted mine('m');
        note('y');
        moat_co_yield(self, nullptr);
        note('Y');
    }
};

struct yields_and_may_throw {
    moat_co *self;
    ~yields_and_may_throw() noexcept(false)
    {
        noted mine('m');
        note('y');
        moat_co_yield(self, nullptr);
        note('Y');
    }
};

struct throws {
    ~throws() noexcept(false)
    {
        note('t');
        throw 1;
    }
};

struct error {
    error() = default;
    error(const error &) = default;
    ~error()
    {
        note('e');
    }
};

struct counts {
    ~counts()
    {
        note(std::uncaught_exceptions() == 0 ? '0' : '?');
    }
};

} // namespace

void *cxx_nested(moat_co *self, void *input)
{
    noted mine('z');

    descend(self, 'd');
    return input;
}

void *cxx_over_c(moat_co *self, void *input)
{
    noted mine('z');

    c_descend(self, 2);
    return input;
}

void *cxx_rethrow(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (...) {
        note('C');
        throw;
    }
    return input;
}

void *cxx_swallow_and_yield(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (...) {
        note('C');
    }
    note('g');
    moat_co_yield(self, input);
    note('!');
    return input;
}

void *cxx_swallow_and_return(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (...) {
        note('C');
    }
    return input;
}

static void swallow_and_trap(void *self)
{
    try {
        descend(static_cast<moat_co *>(self), 'a');
    } catch (...) {
        note('C');
    }
    moat_trap_raise(1);
}

/* The unwinding ends with the call, so the fault is an ordinary one. */
void *cxx_swallow_and_trap_in_call(moat_co *self, void *)
{
    noted mine('z');

    if (moat_notrap_call(swallow_and_trap, self, nullptr) == MOAT_E_FAULT)
        note('f');
    return nullptr;
}

void *cxx_noexcept(moat_co *self, void *input)
{
    noted mine('z');

    never_throws(self);
    return input;
}

void *cxx_yield_in_destructor(moat_co *self, void *input)
{
    noted mine('z');
    yields inside = {self};

    descend(self, 'a');
    return input;
}

void *cxx_yield_in_throwing_destructor(moat_co *self, void *input)
{
    noted mine('z');
    yields_and_may_throw inside = {self};

    descend(self, 'a');
    return input;
}

/* The destructor yields before any unwinding. */
void *cxx_suspended_in_destructor(moat_co *self, void *input)
{
    noted mine('z');
    {
        yields inside = {self};
    }
    return input;
}

void *cxx_suspended_in_throwing_destructor(moat_co *self, void *input)
{
    noted mine('z');
    {
        yields_and_may_throw inside = {self};
    }
    return input;
}

void *cxx_throw_in_destructor(moat_co *self, void *input)
{
    noted mine('z');
    throws inside;

    descend(self, 'a');
    return input;
}

void *cxx_throw_in_handler(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (...) {
        note('C');
        throw error();
    }
    return input;
}

void *cxx_inside_handler(moat_co *self, void *input)
{
    noted mine('z');

    try {
        throw error();
    } catch (const error &) {
        descend(self, 'a');
    }
    return input;
}

void *cxx_catch_inside_handler(moat_co *self, void *input)
{
    noted mine('z');

    try {
        throw error();
    } catch (const error &) {
        try {
            descend(self, 'a');
        } catch (...) {
            note('C');
            throw;
        }
    }
    return input;
}

void *cxx_by_type(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (const std::exception &) {
        note('!');
    } catch (int) {
        note('!');
    }
    return input;
}

void *cxx_by_name(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (abi::__forced_unwind &) {
        note('F');
        throw;
    }
    return input;
}

void *cxx_uncaught(moat_co *self, void *input)
{
    counts mine;

    moat_co_yield(self, nullptr);
    return input;
}

/* Catches the unwinding, and yields before it rethrows. */
void *cxx_yield_in_catch(moat_co *self, void *input)
{
    noted mine('z');

    try {
        descend(self, 'a');
    } catch (...) {
        note('C');
        moat_co_yield(self, nullptr);
        note('D');
        throw;
    }
    return input;
}
