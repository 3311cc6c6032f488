/*
 * throw.cc: checks that libgcc_s unwinds the C++ exceptions of a program that
 * links moat: throws on the host's stack and in a guest, then asks the dynamic
 * linker. libunwind's functions of the same names cannot cross a coroutine's
 * border.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <dlfcn.h>

#include <moat/moat.h>

static int caught;

static void throw_and_catch(int depth)
{
    try {
        if (depth > 0) {
            throw_and_catch(depth - 1);
            return;
        }
        throw std::runtime_error("planted");
    } catch (const std::runtime_error &) {
        ++caught;
    }
}

static void *guest(moat_co *, void *)
{
    throw_and_catch(3);
    return nullptr;
}

static const char *provider(const char *symbol)
{
    void *address = dlsym(RTLD_DEFAULT, symbol);
    Dl_info info;
    if (address == nullptr || dladdr(address, &info) == 0)
        return "nobody";
    return info.dli_fname;
}

static bool resume_guest()
{
    moat_co *co = nullptr;
    moat_event event;
    if (moat_co_create(&co, guest, nullptr) != MOAT_OK ||
        moat_co_resume(co, nullptr, &event) != MOAT_OK)
        return false;
    moat_co_destroy(co);
    return event.kind == MOAT_EVENT_RETURN;
}

/* Makes a program with the static library link libunwind. */
static bool walk()
{
    moat_frame frames[8];
    size_t count = 0;
    return moat_backtrace(frames, 8, &count) != MOAT_E_INVAL;
}

int main()
{
    int wrong = 0;
    throw_and_catch(3);
    if (!walk() || !resume_guest() || caught != 2) {
        std::printf("caught %d of 2 exceptions\n", caught);
        wrong = 1;
    }
    for (const char *symbol : {"_Unwind_RaiseException", "_Unwind_Resume",
                               "_Unwind_ForcedUnwind", "_Unwind_Backtrace"}) {
        const char *file = provider(symbol);
        std::printf("%s: %s\n", symbol, file);
        if (std::strstr(file, "libgcc_s") == nullptr)
            wrong = 1;
    }
    return wrong;
}
