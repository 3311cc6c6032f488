/*
 * include_twice_a.cc: one of two files that include everything; the other is
 * include_twice_b.cc. A definition in a header that is not inline would clash.
 * Also runs a guest written in C++ that throws and catches an exception.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

#include <cstdio>
#include <stdexcept>

moat_status resume_from_b(moat_co *co, void *input, moat_event *event);

static void *throw_and_catch(moat_co *self, void *input)
{
    int *caught = static_cast<int *>(input);
    try {
        moat_co_yield(self, input);
        throw std::runtime_error("inside a guest");
    } catch (const std::exception &) {
        ++*caught;
    }
    return input;
}

static int check(bool good, const char *what)
{
    if (!good)
        std::fprintf(stderr, "wrong: %s\n", what);
    return good ? 0 : 1;
}

int main()
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_trap_info info = MOAT_TRAP_INFO_INIT;
    moat_co *co = nullptr;
    moat_event event = {};
    int caught = 0;

    int wrong = check(moat_co_create(&co, throw_and_catch, &options) == MOAT_OK,
                      "create");
    wrong += check(moat_co_resume(co, &caught, &event) == MOAT_OK &&
                       event.kind == MOAT_EVENT_YIELD && event.value == &caught,
                   "resume from this file");
    wrong += check(moat_co_trap_info(co, &info) == MOAT_E_STATE, "no trap");
    wrong += check(resume_from_b(co, nullptr, &event) == MOAT_OK &&
                       event.kind == MOAT_EVENT_RETURN,
                   "resume from the other file");
    wrong += check(caught == 1, "the guest's exception");
    moat_co_destroy(co);
    return wrong;
}
