/*
 * consumer.cc: the same from C++, with an exception inside the guest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <stdexcept>

#include <moat/moat.h>

static void *guest(moat_co *self, void *input)
{
    try {
        moat_co_yield(self, input);
        throw std::runtime_error("caught in the guest");
    } catch (const std::exception &error) {
        std::printf("moat %s: %s\n", moat_version(), error.what());
    }
    return nullptr;
}

int main()
{
    moat_co *co = nullptr;
    moat_event event;
    if (moat_co_create(&co, guest, nullptr) != MOAT_OK)
        return 1;
    for (int i = 0; i < 2; i++)
        if (moat_co_resume(co, nullptr, &event) != MOAT_OK)
            return 2;
    moat_co_destroy(co);
    return event.kind == MOAT_EVENT_RETURN ? 0 : 3;
}
