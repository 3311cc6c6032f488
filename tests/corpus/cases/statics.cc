/*
 * statics.cc: what the C++ library does for a program once: local static
 * variables, std::call_once; its locks, streams, algorithms and destructors.
 * One case per build, by -DCASE_...
 *
 * SPDX-License-Identifier: MIT
 */
#include <algorithm>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "hcase.h"

const char *hcase_name = NAME;

int hcase_setup(long)
{
    return 0;
}

/* Never accessible; volatile, for the compiler warns of what it knows. */
[[maybe_unused]] static int *volatile bad = reinterpret_cast<int *>(0x10);

/* Not optimised into a loop. */
[[maybe_unused, gnu::noinline]] static int descend(int depth)
{
    volatile char frame[200];

    frame[0] = static_cast<char>(depth);
    return depth < 0 ? 0 : descend(depth + 1) + frame[0];
}

#if defined CASE_static_local
/* Each run begins the initialisation again. */
namespace
{
struct table {
    std::vector<int> numbers;
    table() : numbers(100)
    {
        numbers[0] = descend(0);
    }
};
} // namespace

int hcase_run(void)
{
    static table made;

    return made.numbers[0];
}
#elif defined CASE_call_once
static std::once_flag once;

int hcase_run(void)
{
    std::call_once(once, [] { *bad = 1; });
    return 0;
}
#elif defined CASE_lock_guard
static std::recursive_mutex mutex;

static int lock_deep(int depth)
{
    std::lock_guard<std::recursive_mutex> lock(mutex);

    return depth < 0 ? 0 : lock_deep(depth + 1) + 1;
}

int hcase_run(void)
{
    return lock_deep(0);
}
#elif defined CASE_sort
/* An order that is none leads beyond the end. */
int hcase_run(void)
{
    std::vector<std::string *> words(2000, nullptr);

    std::sort(
        words.begin(), words.end(),
        [](const std::string *a, const std::string *b) { return *a < *b; });
    return 0;
}
#elif defined CASE_destructors
namespace
{
struct node {
    std::unique_ptr<node> next;
};
} // namespace

/* Each is destroyed within the one before it. */
int hcase_run(void)
{
    std::unique_ptr<node> list;

    for (int i = 0; i < 20000; i++) {
        std::unique_ptr<node> head(new node);

        head->next = std::move(list);
        list = std::move(head);
    }
    return 0;
}
#elif defined CASE_stream
int hcase_run(void)
{
    std::ostringstream out;

    for (int i = 0; i < 100; i++)
        out << i << ' ' << 0.5 * i << ' ' << std::string(50, 'x');
    out << reinterpret_cast<const char *>(bad);
    return out.str().empty();
}
#endif
