/*
 * cxx_host.cc: a C++ host with three guests: one works, one throws, one faults.
 *
 * Shows: typed values, an exception that propagates from the guest to its host,
 * a trap as a value, and destructors that run when a guest is cancelled.
 * Run: build/debug/examples/cxx_host
 * Prints: what each guest opened, yielded and closed, and how it ended
 * (expected/cxx_host.txt).
 * Try: remove the catch clause. The program ends as after any uncaught
 * exception.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <stdexcept>
#include <string>

#include <moat/moat.hpp>

struct file {
    std::string name;
    explicit file(std::string which) : name(std::move(which))
    {
        std::printf("  open %s\n", name.c_str());
    }
    file(const file &) = delete;
    file &operator=(const file &) = delete;
    ~file()
    {
        std::printf("  close %s\n", name.c_str());
    }
};

using words = moat::coroutine<std::string, void, int>;

static void count(moat::guest<std::string> &self, int depth)
{
    file here("level " + std::to_string(depth));

    self.yield("word " + std::to_string(depth));
    if (depth < 3)
        count(self, depth + 1);
}

static int *volatile nowhere;

static void run(const char *what, words &guest)
{
    std::printf("%s\n", what);
    for (int i = 0; i < 2; ++i) {
        auto event = guest.resume();
        if (auto *yield = std::get_if<moat::yielded<std::string>>(&event))
            std::printf("  got '%s'\n", yield->value.c_str());
        else if (auto *end = std::get_if<moat::returned<int>>(&event))
            std::printf("  returned %d\n", end->value);
        else if (auto *trap = std::get_if<moat::trapped>(&event))
            std::printf("  trapped: %s\n", trap->what());
    }
}

int main()
{
    words good([](auto &self) {
        count(self, 1);
        return 3;
    });
    words strict([](auto &self) -> int {
        file here("settings");
        self.yield("a setting");
        throw std::runtime_error("unknown setting");
    });
    words broken([](auto &self) {
        self.yield("so far so good");
        *nowhere = 1;
        return 0;
    });

    run("a guest that works", good);
    std::printf("given up in the middle\n");
    good.cancel();
    try {
        run("a guest that throws", strict);
    } catch (const std::exception &error) {
        std::printf("  its host caught: %s\n", error.what());
    }
    run("a guest that is broken", broken);
    std::printf("the host is fine\n");
    return 0;
}
