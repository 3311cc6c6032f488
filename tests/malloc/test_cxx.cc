/*
 * test_cxx.cc: C++ on both sides: operator new and delete, containers, and a
 * quota that throws or traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <vector>

#include <moat/malloc.h>
#include <moat/moat.h>

namespace
{

int failures;

void expect(bool holds, const char *what, int line)
{
    if (holds)
        return;
    failures++;
    std::fprintf(stderr, "test_cxx.cc:%d: expected %s\n", line, what);
}

#define EXPECT(condition) expect((condition), #condition, __LINE__)

constexpr std::size_t quota = std::size_t(4) << 20;

moat_co *guest(moat_entry entry)
{
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_co *co = nullptr;

    limits.memory_bytes = quota;
    options.limits = &limits;
    if (moat_co_create(&co, entry, &options) != MOAT_OK)
        std::abort();
    return co;
}

moat_event_kind resume(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, nullptr, &event) != MOAT_OK)
        std::abort();
    return event.kind;
}

moat_event_kind run(moat_entry entry)
{
    moat_co *co = guest(entry);
    moat_event_kind kind = resume(co);

    moat_co_destroy(co);
    return kind;
}

struct alignas(256) wide {
    char bytes[256];
};

/* Each form, in a heap; nullptr: the host's. */
void use_each(moat_heap *heap)
{
    int *one = new int(7);
    char *several = new char[1000];
    wide *aligned = new wide;
    wide *several_aligned = new wide[3];
    int *quiet = new (std::nothrow) int;
    wide *quiet_aligned = new (std::nothrow) wide;

    EXPECT(moat_heap_of(one) == heap);
    EXPECT(moat_heap_of(several) == heap);
    EXPECT(moat_heap_of(aligned) == heap);
    EXPECT(moat_heap_of(several_aligned) == heap);
    EXPECT(moat_heap_of(quiet) == heap);
    EXPECT(moat_heap_of(quiet_aligned) == heap);
    EXPECT(reinterpret_cast<std::uintptr_t>(aligned) % 256 == 0);
    EXPECT(reinterpret_cast<std::uintptr_t>(several_aligned) % 256 == 0);
    EXPECT(reinterpret_cast<std::uintptr_t>(quiet_aligned) % 256 == 0);
    delete one;
    delete[] several;
    delete aligned;
    delete[] several_aligned;
    delete quiet;
    delete quiet_aligned;
}

void use_containers()
{
    std::map<std::string, std::vector<std::string>> words;

    for (int i = 0; i < 500; i++)
        words["a key of some length " + std::to_string(i % 50)].push_back(
            std::string(static_cast<std::size_t>(i), 'x'));
    EXPECT(words.size() == 50);
}

void *use_own_heap(moat_co *self, void *input)
{
    use_each(moat_co_heap(self));
    use_containers();
    EXPECT(moat_heap_used(moat_co_heap(self)) == 0);
    return input;
}

/* ---- Across the border ---- */

std::vector<std::string> *shared;

void *fill_shared(moat_co *, void *input)
{
    shared = new std::vector<std::string>;
    for (int i = 0; i < 100; i++)
        shared->push_back("a string that is too long to be inline");
    return input;
}

void *end_shared(moat_co *, void *input)
{
    delete shared;
    return input;
}

void across()
{
    moat_co *co = guest(fill_shared);

    EXPECT(resume(co) == MOAT_EVENT_RETURN);
    shared->push_back("another one that the host has appended to it");
    delete shared;
    moat_co_destroy(co);
    fill_shared(nullptr, nullptr);
    EXPECT(run(end_shared) == MOAT_EVENT_RETURN);
}

/* ---- The quota ---- */

void *vector_bomb(moat_co *, void *)
{
    std::vector<int> numbers;

    for (int i = 0;; i++)
        numbers.push_back(i);
}

void *map_bomb(moat_co *, void *)
{
    std::map<int, std::string> all;

    for (int i = 0;; i++)
        all[i] = std::string(100, 'x');
}

void traps(moat_entry bomb)
{
    moat_co *co = guest(bomb);
    moat_trap_info info = MOAT_TRAP_INFO_INIT;

    EXPECT(resume(co) == MOAT_EVENT_TRAP);
    EXPECT(moat_co_trap_info(co, &info) == MOAT_OK);
    EXPECT(info.kind == MOAT_TRAP_MEMORY_LIMIT);
    EXPECT(moat_heap_peak(moat_co_heap(co)) <= quota);
    moat_co_destroy(co);
}

/* A vector doubles: it asks for more than the rest long before the end. */
void *catch_bad_alloc(moat_co *self, void *input)
{
    bool caught = false;

    try {
        (void)vector_bomb(self, input);
    } catch (const std::bad_alloc &) {
        caught = true;
    }
    EXPECT(caught);
    EXPECT(new (std::nothrow) char[2 * quota] == nullptr);
    EXPECT(moat_heap_used(moat_co_heap(self)) == 0);
    return input;
}

int calls_of_handler;

void give_up()
{
    if (++calls_of_handler == 3)
        std::set_new_handler(nullptr);
}

void *call_the_handler(moat_co *self, void *input)
{
    std::set_new_handler(give_up);
    (void)catch_bad_alloc(self, input);
    EXPECT(calls_of_handler == 3);
    return input;
}

void *leave_it(moat_co *self, void *input)
{
    return vector_bomb(self, input);
}

void by_policy_it_throws()
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;

    options.at_limit = MOAT_MALLOC_NULL;
    EXPECT(moat_malloc_configure(&options) == MOAT_OK);
    EXPECT(run(catch_bad_alloc) == MOAT_EVENT_RETURN);
    EXPECT(run(call_the_handler) == MOAT_EVENT_RETURN);
    EXPECT(run(leave_it) == MOAT_EVENT_PANIC);
}

} // namespace

int main()
{
    use_each(nullptr);
    EXPECT(run(use_own_heap) == MOAT_EVENT_RETURN);
    across();
    for (int i = 0; i < 50; i++) {
        traps(vector_bomb);
        traps(map_bomb);
    }
    EXPECT(run(use_own_heap) == MOAT_EVENT_RETURN);
    by_policy_it_throws();
    use_each(nullptr);
    return failures != 0;
}
