/*
 * moat.hpp: coroutines for C++17: owned, typed, and with exceptions that pass.
 * Header only, over the C functions.
 *
 *   moat::coroutine<int, void, double> co([](auto &self) {
 *       self.yield(1);
 *       return 0.5;
 *   });
 *   auto event = co.resume();
 *   if (auto *yield = std::get_if<moat::yielded<int>>(&event))
 *       use(yield->value);
 *
 * What a guest does is a value (an event), traps included: a guest's fault is
 * no error of its host's. An exception that leaves the guest is thrown by
 * resume or cancel: the same object, not a copy. A call that is not legal
 * throws moat::error.
 *
 * The C++ runtime keeps one list per thread of the exceptions in flight and in
 * handlers. It is changed with the coroutine here, so a guest may yield inside
 * a catch clause or while it unwinds, a host may resume inside one, and
 * std::current_exception, "throw;" and std::uncaught_exceptions mean the
 * caller's own. Coroutines of the C functions share their host's list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HPP
#define MOAT_HPP

#if !defined(__cplusplus) || __cplusplus < 201703L
#    error "moat/moat.hpp needs C++17"
#endif

#include <cstdint>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <unwind.h>
#include <utility>
#include <variant>

#include <moat/moat.h>

/* A backtrace goes on from a trapped coroutine to the function that resumed it
 * as long as that one has not returned: so it must be the user's. */
#define MOAT_IN_CALLER __attribute__((always_inline)) inline

namespace moat
{

/** A call that was not legal, or could not be done. */
class error : public std::exception
{
  public:
    explicit error(moat_status status) noexcept : status_(status)
    {
    }
    moat_status status() const noexcept
    {
        return status_;
    }
    const char *what() const noexcept override
    {
        return moat_status_str(status_);
    }

  private:
    moat_status status_;
};

/* --- events ----------------------------------------------------------------
 */

/** The guest has yielded a value; it can be resumed. */
template <class T> struct yielded {
    T value;
};
template <> struct yielded<void> {
};

/** Its function has returned. */
template <class T> struct returned {
    T value;
};
template <> struct returned<void> {
};

/** It has been unwound to its end, after a cancel. */
struct cancelled {
};

/** It has trapped. `info.regs` is valid until the coroutine is reset or gone.
 */
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

/** What a resume or a cancel has led to. */
template <class Out, class Result>
using event = std::variant<yielded<Out>, returned<Result>, trapped, cancelled>;

/** All defaults, to be changed and handed to a coroutine. */
inline moat_co_options default_options() noexcept
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    return options;
}

namespace detail
{

/* The caught exceptions and the count of those in flight: the C++ ABI for
 * Itanium, Exception Handling, 2.2.2. */
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

/* What a coroutine owns beside its stack, whatever its types; its address does
 * not change. */
struct body_base {
    exception_list exceptions;
    bool fresh = true;
    place *where = nullptr; /* while it runs */
    const void *type;       /* the same for the same types */

    explicit body_base(const void *of) noexcept : type(of)
    {
    }
    body_base(const body_base &) = delete;
    body_base &operator=(const body_base &) = delete;
    virtual ~body_base() = default;
};

/* Under a resumer: whose place it is changes by guest::switch_to. While it
 * lives the thread has that one's list of exceptions. */
struct place {
    body_base *guest;
    body_base &first;
    place
        *before; /* a resume of one that runs is refused, and changes nothing */
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

/* "GNUCC++" or "CLNGC++"; the last byte tells how the object was made. */
inline bool is_cxx(const _Unwind_Exception *exception) noexcept
{
    std::uint64_t language = exception->exception_class >> 8;
    return language == UINT64_C(0x474e5543432b2b) ||
           language == UINT64_C(0x434c4e47432b2b);
}

/* Throws the object that a guest has thrown. */
[[noreturn]] inline void throw_again(void *value)
{
    auto *exception = static_cast<_Unwind_Exception *>(value);

    if (is_cxx(exception)) {
        exception_list list = exception_list::current();
        ++list.uncaught;
        list.make_current();
    }
    (void)_Unwind_RaiseException(exception);
    /* Nobody catches it: as a throw does. */
    (void)abi::__cxa_begin_catch(exception);
    std::terminate();
}

template <class T>
using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

} // namespace detail

template <class Out, class In, class Result> class coroutine;

/* --- the guest's side -------------------------------------------------------
 */

/**
 * A running coroutine as its function sees it. Hands out values of type Out and
 * gets values of type In; either may be void.
 */
template <class Out, class In = void> class guest
{
  public:
    guest(moat_co *self, detail::body_base &body) noexcept
        : self_(self), body_(body)
    {
    }
    guest(const guest &) = delete;
    guest &operator=(const guest &) = delete;

    /** Hands a value to the resumer; gives the next resume's. */
    In yield(detail::stored<Out> value)
    {
        static_assert(!std::is_void_v<Out>, "its yields carry no value");
        return take(moat_co_yield(self_, std::addressof(value)));
    }
    In yield()
    {
        static_assert(std::is_void_v<Out>, "its yields carry a value");
        return take(moat_co_yield(self_, nullptr));
    }

    /**
     * Hands its place to another coroutine of the same types, whose next event
     * is what the resume gets; see moat_co_switch_to. Gives what it is given
     * itself when it goes on: by a resume, or by a switch to it.
     *
     * @throws moat::error with what moat_co_switch_to says; MOAT_E_INVAL also
     * if `other` owns nothing, or returns another type
     */
    template <class Result>
    In switch_to(coroutine<Out, In, Result> &other, detail::stored<In> value)
    {
        static_assert(!std::is_void_v<In>, "its inputs carry no value");
        return switch_with(other, value);
    }
    template <class Result> In switch_to(coroutine<Out, In, Result> &other)
    {
        static_assert(std::is_void_v<In>, "its inputs carry a value");
        std::monostate nothing;
        return switch_with(other, nothing);
    }

    /** For the C functions. Yield by this object only: they know no types. */
    moat_co *native_handle() const noexcept
    {
        return self_;
    }

  private:
    template <class Result>
    In switch_with(coroutine<Out, In, Result> &other,
                   detail::stored<In> &value);

    static In take(void *input)
    {
        if constexpr (!std::is_void_v<In>)
            return std::move(*static_cast<In *>(input));
        else
            (void)input;
    }

    moat_co *self_;
    detail::body_base &body_;
};

namespace detail
{

template <class Out, class In, class Result> struct body : body_base {
    static constexpr char type_of = 0;
    std::optional<stored<Result>> result;

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
        if constexpr (std::is_void_v<In>)
            return (void)input, function(self);
        else
            return function(self, std::move(input));
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

/* The input of the first resume. */
template <class Out, class In, class Result> struct start {
    body<Out, In, Result> *what;
    stored<In> *input;

    static void *enter(moat_co *co, void *first)
    {
        auto *self = static_cast<start *>(first);
        guest<Out, In> handle(co, *self->what);

        self->what->run(handle, *self->input);
        return nullptr;
    }
};

} // namespace detail

/* --- the host's side --------------------------------------------------------
 */

/**
 * A coroutine that yields values of type Out, is resumed with values of type In
 * and returns a Result; each may be void. Its function is called as
 * function(guest<Out, In> &) or, unless In is void, as
 * function(guest<Out, In> &, In) with the first resume's value.
 *
 * The destructor cancels a suspended one, as moat_co_destroy does: the objects
 * on its stack are destroyed. It belongs to the thread that made it.
 */
template <class Out, class In = void, class Result = void> class coroutine
{
    static_assert(!std::is_reference_v<Out> && !std::is_reference_v<In> &&
                      !std::is_reference_v<Result>,
                  "values pass by moving: use a pointer or a wrapper");

    using body_type = detail::body<Out, In, Result>;
    using start_type = detail::start<Out, In, Result>;

  public:
    using event_type = event<Out, Result>;

    /** Owns nothing; every call throws moat::error. */
    coroutine() noexcept = default;

    /** @throws moat::error with what moat_co_create says */
    template <class Function, class = std::enable_if_t<!std::is_same_v<
                                  std::decay_t<Function>, coroutine>>>
    explicit coroutine(Function &&function,
                       const moat_co_options &options = default_options())
        : body_(std::make_unique<
                detail::body_of<Out, In, Result, std::decay_t<Function>>>(
              std::forward<Function>(function)))
    {
        check(moat_co_create(&co_, start_type::enter, &options));
    }
    coroutine(coroutine &&other) noexcept
        : body_(std::move(other.body_)), co_(std::exchange(other.co_, nullptr)),
          speaker_(other.speaker_)
    {
    }
    coroutine &operator=(coroutine &&other) noexcept
    {
        coroutine old(std::move(*this));
        body_ = std::move(other.body_);
        co_ = std::exchange(other.co_, nullptr);
        speaker_ = other.speaker_;
        return *this;
    }
    ~coroutine()
    {
        if (co_ == nullptr)
            return;
        detail::place place(*body_);
        moat_co_destroy(co_);
    }

    /**
     * Runs the guest until it yields, returns or traps.
     *
     * @throws moat::error with what moat_co_resume says; what the guest throws
     */
    [[nodiscard]] MOAT_IN_CALLER event_type resume(detail::stored<In> input)
    {
        static_assert(!std::is_void_v<In>, "its resumes carry no value");
        return resume_with(input);
    }
    [[nodiscard]] MOAT_IN_CALLER event_type resume()
    {
        static_assert(std::is_void_v<In>, "its resumes carry a value");
        std::monostate nothing;
        return resume_with(nothing);
    }

    /**
     * Unwinds the guest; see moat_co_cancel. Mostly this gives `cancelled`.
     *
     * @throws moat::error with what moat_co_cancel says; what the guest throws
     */
    MOAT_IN_CALLER event_type cancel()
    {
        moat_event event = {MOAT_EVENT_YIELD, nullptr, nullptr};
        moat_status status;

        check_owned();
        {
            detail::place place(*body_);
            status = moat_co_cancel(co_, &event);
        }
        check(status);
        return settle(event, *body_);
    }

    /**
     * Makes it fresh: the next resume calls the function again. The frames of a
     * suspended guest are dropped; cancel it first if they shall be unwound.
     *
     * @throws moat::error with what moat_co_reset says
     */
    void reset()
    {
        check_owned();
        check(moat_co_reset(co_));
        body_->exceptions = {};
        body_->result.reset();
        body_->fresh = true;
    }

    /** MOAT_CO_INVALID if it owns nothing. */
    moat_co_state state() const noexcept
    {
        return moat_co_get_state(co_);
    }

    /** For the C functions, but to resume, cancel, reset or destroy it. */
    moat_co *native_handle() const noexcept
    {
        return co_;
    }

    /** Whose event the last resume gave: its own handle, unless it has handed
     * its place on (guest::switch_to). */
    moat_co *speaker() const noexcept
    {
        return speaker_;
    }

    explicit operator bool() const noexcept
    {
        return co_ != nullptr;
    }

  private:
    static void check(moat_status status)
    {
        if (MOAT_UNLIKELY(status != MOAT_OK))
            throw error(status);
    }

    void check_owned() const
    {
        if (MOAT_UNLIKELY(co_ == nullptr))
            throw error(MOAT_E_INVAL);
    }

    MOAT_IN_CALLER event_type resume_with(detail::stored<In> &input)
    {
        start_type start = {body_.get(), std::addressof(input)};
        moat_event event = {MOAT_EVENT_YIELD, nullptr, nullptr};
        moat_status status;
        detail::body_base *from;

        check_owned();
        {
            detail::place place(*body_);
            status = moat_co_resume(co_,
                                    body_->fresh ? static_cast<void *>(&start)
                                                 : std::addressof(input),
                                    &event);
            from = place.guest;
        }
        check(status);
        body_->fresh = false;
        return settle(event, *static_cast<body_type *>(from));
    }

    event_type settle(const moat_event &event, body_type &from)
    {
        speaker_ = event.co;
        switch (event.kind) {
        case MOAT_EVENT_YIELD:
            return yield_of(event.value);
        case MOAT_EVENT_TRAP:
            return trap();
        case MOAT_EVENT_PANIC:
            detail::throw_again(event.value);
        default:
            return result(from);
        }
    }

    static event_type yield_of(void *value)
    {
        if constexpr (std::is_void_v<Out>)
            return (void)value, yielded<Out>{};
        else
            return yielded<Out>{std::move(*static_cast<Out *>(value))};
    }

    event_type trap() const
    {
        trapped what = {MOAT_TRAP_INFO_INIT};
        check(moat_co_trap_info(speaker_, &what.info));
        return what;
    }

    static event_type result(body_type &from)
    {
        if (!from.result)
            return cancelled{};
        if constexpr (std::is_void_v<Result>)
            return returned<Result>{};
        else
            return returned<Result>{std::move(*from.result)};
    }

    template <class, class> friend class guest;

    std::unique_ptr<body_type> body_;
    moat_co *co_ = nullptr;
    moat_co *speaker_ = nullptr;
};

template <class Out, class In>
template <class Result>
In guest<Out, In>::switch_with(coroutine<Out, In, Result> &other,
                               detail::stored<In> &value)
{
    auto *next = other.body_.get();
    void *input = nullptr;

    /* What the resume gives is of its own types. */
    if (next == nullptr || next->type != body_.type)
        throw error(MOAT_E_INVAL);
    detail::start<Out, In, Result> start = {next, std::addressof(value)};
    bool fresh = std::exchange(next->fresh, false);
    detail::place &place = *body_.where;
    detail::place *const elsewhere = next->where;

    place.hand_over(*next);
    moat_status status =
        moat_co_switch_to(self_, other.co_,
                          fresh ? static_cast<void *>(&start)
                                : static_cast<void *>(std::addressof(value)),
                          &input);
    if (MOAT_UNLIKELY(status != MOAT_OK)) {
        place.hand_over(body_);
        next->where = elsewhere;
        next->fresh = fresh;
        throw error(status);
    }
    return take(input);
}

} // namespace moat

#undef MOAT_IN_CALLER

#endif
