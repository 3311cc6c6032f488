/*
 * cxx20.cc: the coroutines of C++20, as a generator of the usual form: the
 * promise keeps a pointer to the item. They have no stack, so a recursive walk
 * is a generator per level, each of which passes on the items of the one below.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coroutine>
#include <exception>
#include <utility>

#include "bench/peers.h"

namespace
{

class generator
{
  public:
    struct promise_type {
        const uint64_t *item = nullptr;
        std::exception_ptr exception;

        generator get_return_object() noexcept
        {
            return generator(handle::from_promise(*this));
        }
        std::suspend_always initial_suspend() const noexcept
        {
            return {};
        }
        std::suspend_always final_suspend() const noexcept
        {
            return {};
        }
        std::suspend_always yield_value(const uint64_t &value) noexcept
        {
            item = &value;
            return {};
        }
        void return_void() const noexcept
        {
        }
        void unhandled_exception() noexcept
        {
            exception = std::current_exception();
        }
    };
    using handle = std::coroutine_handle<promise_type>;

    struct sentinel {
    };
    class iterator
    {
      public:
        explicit iterator(handle from) noexcept : from_(from)
        {
        }
        const uint64_t &operator*() const noexcept
        {
            return *from_.promise().item;
        }
        iterator &operator++()
        {
            advance(from_);
            return *this;
        }
        bool operator==(sentinel) const noexcept
        {
            return from_.done();
        }

      private:
        handle from_;
    };

    explicit generator(handle from) noexcept : from_(from)
    {
    }
    generator(generator &&other) noexcept
        : from_(std::exchange(other.from_, nullptr))
    {
    }
    generator &operator=(generator &&) = delete;
    ~generator()
    {
        if (from_)
            from_.destroy();
    }
    iterator begin()
    {
        advance(from_);
        return iterator(from_);
    }
    sentinel end() const noexcept
    {
        return {};
    }

  private:
    static void advance(handle from)
    {
        from.resume();
        if (from.promise().exception)
            std::rethrow_exception(from.promise().exception);
    }

    handle from_;
};

generator numbers(uint64_t from, uint64_t end)
{
    for (uint64_t i = from; i < end; ++i)
        co_yield i;
}

generator walk(unsigned depth, uint64_t &key)
{
    if (depth == 0)
        co_return;
    for (uint64_t below : walk(depth - 1, key))
        co_yield below;
    co_yield key++;
    for (uint64_t below : walk(depth - 1, key))
        co_yield below;
}

uint64_t run_numbers(size_t count)
{
    uint64_t sum = 0;

    for (uint64_t item : numbers(0, count))
        sum += item;
    return sum;
}

uint64_t run_tree(size_t count)
{
    uint64_t sum = 0;

    for (;;) {
        uint64_t key = 0;

        for (uint64_t item : walk(TREE_DEPTH, key)) {
            sum += item;
            if (--count == 0)
                return sum;
        }
    }
}

uint64_t run_lives(size_t count)
{
    uint64_t sum = 0;

    for (uint64_t i = 1; i <= count; ++i)
        for (uint64_t item : numbers(i, i + 1))
            sum += item;
    return sum;
}

} // namespace

extern "C" const struct bench_peer peer_cxx20;
const struct bench_peer peer_cxx20 = {"C++20 coroutine",
                                      1,
                                      false,
                                      {nullptr, run_numbers, nullptr, run_tree,
                                       nullptr, nullptr, run_lives, nullptr},
                                      {},
                                      nullptr};
