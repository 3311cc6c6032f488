/*
 * test_cxx.cc: C++ on both sides: operator new and delete, containers, and a
 * quota that throws or traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <map>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>
#include <unwind.h>

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
    options.stack_bytes = std::size_t(1) << 20;
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

void *string_bomb(moat_co *, void *)
{
    std::string text;

    for (;;)
        text += "some words more";
}

/* Small blocks to the last one: not even an exception has room then. */
void *list_bomb(moat_co *, void *)
{
    std::list<std::string> all;

    for (;;)
        all.push_back(std::string(20, 'x'));
}

/* Exceptions inside exceptions, none of which ends. */
void throw_inside(int depth)
{
    try {
        throw std::runtime_error(std::string(1000, 'x'));
    } catch (const std::runtime_error &error) {
        volatile char first = error.what()[0];

        (void)first;
        if (depth < 1000000)
            throw_inside(depth + 1);
    }
}

void *exception_bomb(moat_co *, void *input)
{
    std::vector<std::string> all;

    /* Nearly full, so that the stack is enough for the rest. */
    all.push_back(std::string(quota - (std::size_t(256) << 10), 'x'));
    throw_inside(0);
    return input;
}

constexpr moat_entry bombs[] = {vector_bomb, string_bomb, map_bomb, list_bomb,
                                exception_bomb};

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
    calls_of_handler = 0;
    return input;
}

/* Whatever bomb it was: the exception comes from the reserve that the C++
 * library has for such cases, if the heap has no room, and goes back there. */
void *catch_any(moat_co *self, void *input)
{
    bool caught = false;

    try {
        (void)(*static_cast<const moat_entry *>(input))(self, nullptr);
    } catch (const std::exception &) {
        caught = true;
    }
    EXPECT(caught);
    use_containers();
    return input;
}

void *leave_it(moat_co *self, void *input)
{
    return (*static_cast<const moat_entry *>(input))(self, nullptr);
}

moat_event_kind run_with(moat_entry entry, const moat_entry *bomb)
{
    moat_co *co = guest(entry);
    moat_event event;

    if (moat_co_resume(co, const_cast<moat_entry *>(bomb), &event) != MOAT_OK)
        std::abort();
    /* Where the heap is full it lies in the C++ library's reserve, which is the
     * process' and has room for some dozens. */
    if (event.kind == MOAT_EVENT_PANIC)
        _Unwind_DeleteException(static_cast<_Unwind_Exception *>(event.value));
    moat_co_destroy(co);
    return event.kind;
}

void by_policy_it_throws(int count)
{
    moat_malloc_options options = MOAT_MALLOC_OPTIONS_INIT;

    options.at_limit = MOAT_MALLOC_NULL;
    EXPECT(moat_malloc_configure(&options) == MOAT_OK);
    EXPECT(run(catch_bad_alloc) == MOAT_EVENT_RETURN);
    EXPECT(run(call_the_handler) == MOAT_EVENT_RETURN);
    for (int i = 0; i < count; i++) {
        for (const moat_entry &bomb : bombs) {
            EXPECT(run_with(catch_any, &bomb) == MOAT_EVENT_RETURN);
            EXPECT(run_with(leave_it, &bomb) == MOAT_EVENT_PANIC);
        }
    }
}

/* Not those of files, which the kernel maps and drops as it likes. */
std::size_t resident_bytes()
{
    std::size_t whole = 0, resident = 0, of_files = 0;
    std::FILE *file = std::fopen("/proc/self/statm", "r");

    if (file == nullptr ||
        std::fscanf(file, "%zu %zu %zu", &whole, &resident, &of_files) != 3)
        std::abort();
    std::fclose(file);
    return (resident - of_files) *
           static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/* Another allocator has its own view of what it keeps. Memory of the last
 * guests may still be there. */
void expect_flat(std::size_t before)
{
    EXPECT(std::getenv("MOAT_TEST_NEXT") != nullptr ||
           resident_bytes() <= before + moat_heap_kept(nullptr) + 65536);
}

void by_policy_it_traps(int count)
{
    for (int i = 0; i < count; i++) {
        for (moat_entry bomb : bombs)
            traps(bomb);
    }
}

} // namespace

/* An argument: how many guests of each kind there are. */
int main(int argc, char **argv)
{
    int count = argc > 1 ? std::atoi(argv[1]) : 5;
    std::size_t before;

    use_each(nullptr);
    EXPECT(run(use_own_heap) == MOAT_EVENT_RETURN);
    across();
    by_policy_it_traps(3);
    before = resident_bytes();
    by_policy_it_traps(count);
    expect_flat(before);
    EXPECT(run(use_own_heap) == MOAT_EVENT_RETURN);
    by_policy_it_throws(3);
    before = resident_bytes();
    by_policy_it_throws(count);
    expect_flat(before);
    use_each(nullptr);
    return failures != 0;
}
