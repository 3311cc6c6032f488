/*
 * exceptions.hpp: how moat.hpp, which includes it, keeps the exceptions of
 * guests and hosts apart.
 *
 * The C++ runtime keeps one list per thread of the exceptions in flight and in
 * handlers. Each coroutine has a list of its own here, which is exchanged for
 * its host's while it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EXCEPTIONS_HPP
#define MOAT_EXCEPTIONS_HPP

#include <cstdint>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <type_traits>
#include <unwind.h>
#include <variant>

namespace moat
{

namespace detail
{

/* The caught exceptions and the count of those in flight (C++ ABI for Itanium,
 * Exception Handling, 2.2.2). */
struct exception_list {
    void *caught = nullptr;
    unsigned uncaught = 0;

    static exception_list current() noexcept
    {
        exception_list list;
        std::memcpy(static_cast<void *>(&list), abi::__cxa_get_globals(),
                    sizeof list);
        return list;
    }
    void make_current() const noexcept
    {
        std::memcpy(abi::__cxa_get_globals(), this, sizeof *this);
    }
};

struct place;

/* The part of a coroutine's state, beside its stack, that does not depend on
 * its types. Its address does not change. */
struct body_base {
    exception_list exceptions;
    bool fresh = true;
    bool preempted = false; /* its next input is not used  */
    place *where = nullptr; /* while it runs               */
    const void *type;       /* equal for equal types       */

    explicit body_base(const void *of) noexcept : type(of)
    {
    }
    body_base(const body_base &) = delete;
    body_base &operator=(const body_base &) = delete;
    virtual ~body_base() = default;
};

/*
 * Exists for the duration of a resume, cancel or destroy, and swaps in the
 * exception list of `guest`: the coroutine that was resumed (`first`), or the
 * one to which it transferred.
 */
struct place {
    body_base *guest;
    body_base &first;
    /* The enclosing scope of `first`; not null if that is already running. The
     * resume is then refused, and this must be restored. */
    place *before;
    exception_list host = exception_list::current();

    explicit place(body_base &body) noexcept
        : guest(&body), first(body), before(body.where)
    {
        guest->where = this;
        guest->exceptions.make_current();
    }
    ~place()
    {
        guest->exceptions = exception_list::current();
        host.make_current();
        if (guest == &first)
            first.where = before;
    }
    void hand_over(body_base &other) noexcept
    {
        guest->exceptions = exception_list::current();
        guest = &other;
        guest->where = this;
        guest->exceptions.make_current();
    }
    place(const place &) = delete;
    place &operator=(const place &) = delete;
};

/* The class is "GNUCC++" or "CLNGC++"; its last byte depends on how the object
 * was made. */
inline bool is_cxx(const _Unwind_Exception *exception) noexcept
{
    std::uint64_t language = exception->exception_class >> 8;
    return language == UINT64_C(0x474e5543432b2b) ||
           language == UINT64_C(0x434c4e47432b2b);
}

/* Throws the object that left a guest: the same object, not a copy. */
[[noreturn]] inline void throw_again(void *value)
{
    auto *exception = static_cast<_Unwind_Exception *>(value);

    if (is_cxx(exception)) {
        exception_list list = exception_list::current();
        ++list.uncaught;
        list.make_current();
    }
    (void)_Unwind_RaiseException(exception);
    /* No handler was found: terminate, as a throw expression does. */
    (void)abi::__cxa_begin_catch(exception);
    std::terminate();
}

template <class T>
using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

} // namespace detail

} // namespace moat

#endif
