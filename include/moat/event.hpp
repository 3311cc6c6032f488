/*
 * event.hpp: the events and the error of moat.hpp, which includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_EVENT_HPP
#define MOAT_EVENT_HPP

#include <algorithm>
#include <cstring>
#include <exception>
#include <variant>

#include <moat/moat.h>

namespace moat
{

/** Thrown for a call that was not legal, or could not be done. */
class error : public std::exception
{
  public:
    /** Of a call that this thread has just made. */
    explicit error(moat_status status) noexcept : status_(status)
    {
        const char *text = moat_error_str(status);

        std::memcpy(text_, text, std::min(std::strlen(text), sizeof text_ - 1));
    }
    moat_status status() const noexcept
    {
        return status_;
    }
    /** The text of moat_error_str for the call. */
    const char *what() const noexcept override
    {
        return text_;
    }

  private:
    moat_status status_;
    char text_[248] = {}; /* a copy of the exception must not throw */
};

/** An event: the guest has yielded a value and can be resumed. */
template <class T> struct yielded {
    T value;
};
template <> struct yielded<void> {
};

/** An event: the guest's function has returned. */
template <class T> struct returned {
    T value;
};
template <> struct returned<void> {
};

/** An event: a cancel has unwound the guest to its end. */
struct cancelled {
};

/** An event: the guest has trapped. `info.regs` is valid until the coroutine is
 * reset or destroyed. */
struct trapped {
    moat_trap_info info;

    moat_trap_kind kind() const noexcept
    {
        return info.kind;
    }
    const char *what() const noexcept
    {
        return moat_trap_kind_str(info.kind);
    }
};

/** An event: the guest's time slice has ended (moat_limits.slice_ns). The next
 * resume goes on where it was, and its input is not used. */
struct preempted {
};

/** The event of a resume or a cancel. */
template <class Out, class Result>
using event =
    std::variant<yielded<Out>, returned<Result>, trapped, cancelled, preempted>;

/** Returns options with all defaults, for the constructor of coroutine. */
inline moat_co_options default_options() noexcept
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    return options;
}

} // namespace moat

#endif
