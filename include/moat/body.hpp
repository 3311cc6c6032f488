/*
 * body.hpp: the function of a moat::coroutine, with the values that pass
 * between it and its resumers; included by moat.hpp.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_BODY_HPP
#define MOAT_BODY_HPP

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <moat/event.hpp>
#include <moat/exceptions.hpp>
#include <moat/moat.h>

namespace moat
{

template <class Out, class In> class guest;

namespace detail
{

template <class Out, class In, class Result> struct body : body_base {
    static constexpr char type_of = 0;
    std::optional<stored<Result>> result;
    /* Not on the resumer's stack: a guest that is preempted before it has taken
     * the value does so in a later resume. */
    std::optional<stored<In>> given;

    body() noexcept : body_base(&type_of)
    {
    }
    virtual void run(guest<Out, In> &self, stored<In> &input) = 0;
};

template <class Out, class In, class Result, class Function>
struct body_of final : body<Out, In, Result> {
    Function function;

    template <class F>
    explicit body_of(F &&from) : function(std::forward<F>(from))
    {
    }
    decltype(auto) call(guest<Out, In> &self, stored<In> &input)
    {
        if constexpr (std::is_void_v<In>) {
            static_assert(std::is_invocable_v<Function &, guest<Out, In> &>,
                          "the function takes (moat::guest<Out> &)");
            return (void)input, function(self);
        } else {
            static_assert(
                std::is_invocable_v<Function &, guest<Out, In> &, stored<In>>,
                "the function takes (moat::guest<Out, In> &, In): "
                "the value of the first resume comes second");
            return function(self, std::move(input));
        }
    }
    void run(guest<Out, In> &self, stored<In> &input) override
    {
        if constexpr (std::is_void_v<Result>) {
            call(self, input);
            this->result.emplace();
        } else {
            this->result.emplace(call(self, input));
        }
    }
};

template <class Out, class In, class Result> struct start {
    static void *enter(moat_co *co, void *first)
    {
        auto *what = static_cast<body<Out, In, Result> *>(first);
        guest<Out, In> handle(co, *what);

        what->run(handle, *what->given);
        return nullptr;
    }
    /* Gives the next resume its value, and returns what to pass to it. */
    static void *put(body<Out, In, Result> &what, bool fresh, stored<In> &value)
    {
        if (MOAT_LIKELY(!what.preempted))
            what.given.emplace(std::move(value));
        return fresh ? static_cast<void *>(&what)
                     : static_cast<void *>(std::addressof(*what.given));
    }
};

} // namespace detail

} // namespace moat

#endif
