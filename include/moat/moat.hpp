/*
 * moat.hpp: C++17 coroutines: owning, typed, exception-transparent.
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
 * Everything that a guest does is a value (an event), traps included: a
 * guest's fault is no error of its host. If an exception leaves the guest,
 * resume or cancel throws it: the same object, not a copy. A call that is not
 * legal throws moat::error.
 *
 * The C++ runtime keeps one list per thread of the exceptions in flight and in
 * handlers. These classes exchange it together with the coroutine. So a guest
 * may yield inside a catch clause or while it unwinds, a host may resume
 * inside one, and std::current_exception, "throw;" and
 * std::uncaught_exceptions refer to the caller's own exceptions. Coroutines of
 * the C functions share their host's list.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_HPP
#define MOAT_HPP

#if !defined(__cplusplus) || __cplusplus < 201703L
#    error "moat/moat.hpp needs C++17"
#endif

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <moat/body.hpp>
#include <moat/event.hpp>
#include <moat/exceptions.hpp>
#include <moat/moat.h>
#include <moat/spec.hpp>

/* A backtrace continues from a trapped coroutine to the function that resumed
 * it only until that function returns, so it must be the user's function. */
#define MOAT_IN_CALLER __attribute__((always_inline)) inline

namespace moat
{

template <class Out, class In, class Result> class coroutine;

/* --- the guest's side -------------------------------------------------------
 */

/**
 * A running coroutine as its function sees it. It yields values of type Out
 * and receives values of type In; either may be void.
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

    /** Passes a value to the resumer; returns that of the next resume. */
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
     * Transfers control to another coroutine of the same types, whose next
     * event the resume returns; see moat_co_switch_to. Returns the value of the
     * resume or transfer that continues this one.
     *
     * @throws moat::error with the status of moat_co_switch_to; MOAT_E_INVAL
     * also if `other` owns nothing, or returns another type
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

    /** For the C functions. Do not yield by moat_co_yield: the value would
     *  bypass the types of this class. */
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

/* --- the host's side --------------------------------------------------------
 */

/**
 * A coroutine that yields values of type Out, is resumed with values of type
 * In and returns a Result; each may be void. The function is called as
 * function(guest<Out, In> &) or, unless In is void, as function(guest<Out, In>
 * &, In) with the first resume's value.
 *
 * The destructor cancels a suspended coroutine, as moat_co_destroy does: the
 * objects on its stack are destroyed. The coroutine belongs to the thread that
 * created it.
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

    /** Owns nothing: every call throws moat::error. */
    coroutine() noexcept = default;

    /** @throws moat::error with the status of moat_co_create */
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

    /**
     * Creates it with the options of a spec; `user` is for moat_co_user.
     *
     * @throws moat::error with the status of moat_co_create_from; MOAT_E_INVAL
     * if the spec owns nothing
     */
    template <class Function>
    coroutine(Function &&function, const spec &from, void *user = nullptr)
        : body_(std::make_unique<
                detail::body_of<Out, In, Result, std::decay_t<Function>>>(
              std::forward<Function>(function)))
    {
        check(moat_co_create_from(&co_, from.native_handle(), start_type::enter,
                                  user));
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
     * @throws moat::error with the status of moat_co_resume; the exception that
     * leaves the guest
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
     * Unwinds the guest; see moat_co_cancel. The usual event is `cancelled`.
     *
     * @throws moat::error with the status of moat_co_cancel; the exception that
     * leaves the guest
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
     * Makes the coroutine fresh: the next resume calls the function again. The
     * frames of a suspended guest are dropped; cancel it first to unwind them.
     *
     * @throws moat::error with the status of moat_co_reset
     */
    void reset()
    {
        check_owned();
        check(moat_co_reset(co_));
        body_->exceptions = {};
        body_->result.reset();
        body_->fresh = true;
        body_->preempted = false;
    }

    /** Returns the state; MOAT_CO_INVALID if the object owns nothing. */
    moat_co_state state() const noexcept
    {
        return moat_co_get_state(co_);
    }

    /** For the C functions, except those that resume, cancel, reset or destroy
     * the coroutine. */
    moat_co *native_handle() const noexcept
    {
        return co_;
    }

    /** The coroutine that the last event is from: this one's own handle, unless
     * it has transferred to another (guest::switch_to). */
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
            throw error(moat_error_note(
                MOAT_E_INVAL,
                "the object owns no coroutine: it was moved from, or is empty",
                0, 0));
    }

    MOAT_IN_CALLER event_type resume_with(detail::stored<In> &input)
    {
        moat_event event = {MOAT_EVENT_YIELD, nullptr, nullptr};
        moat_status status;
        detail::body_base *from;

        check_owned();
        void *first = start_type::put(*body_, body_->fresh, input);
        {
            detail::place place(*body_);
            status = moat_co_resume(co_, first, &event);
            from = place.guest;
        }
        check(status);
        body_->fresh = body_->preempted = false;
        from->preempted = event.kind == MOAT_EVENT_PREEMPT;
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
        case MOAT_EVENT_PREEMPT:
            return preempted{};
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

    /* The resume expects an event of its own types. */
    if (next == nullptr || next->type != body_.type)
        throw error(moat_error_note(
            MOAT_E_INVAL, "other is empty, or of another type than the caller",
            0, 0));
    bool fresh = std::exchange(next->fresh, false);
    void *first = detail::start<Out, In, Result>::put(*next, fresh, value);
    bool preempted = std::exchange(next->preempted, false);
    detail::place &place = *body_.where;
    detail::place *const elsewhere = next->where;

    place.hand_over(*next);
    moat_status status = moat_co_switch_to(self_, other.co_, first, &input);
    if (MOAT_UNLIKELY(status != MOAT_OK)) {
        place.hand_over(body_);
        next->where = elsewhere;
        next->fresh = fresh;
        next->preempted = preempted;
        throw error(status);
    }
    return take(input);
}

} // namespace moat

#undef MOAT_IN_CALLER

#endif
