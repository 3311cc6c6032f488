/*
 * gen.hpp: C++17 generators: typed ranges over a body that yields, through
 * which exceptions pass. Header only, over moat/gen.h; the program links
 * moat-sched.
 *
 *   moat::generator<int> squares([](auto &self) {
 *       for (int i = 1; i <= 3; ++i)
 *           self.yield(i * i);
 *   });
 *   for (int square : squares)
 *       use(square);
 *
 * Exceptions pass in both directions. One that leaves the body comes out of
 * begin, ++ or next: the same object, not a copy. One that the consumer passes
 * to raise is thrown in the body, at the yield where it waits. An exception of
 * the consumer's own leaves the loop, and the generator's destructor unwinds
 * the body.
 *
 * A trap of the body comes out of begin, ++ and next as moat::generator_trap: a
 * range has no other way to say that it is not complete.
 *
 * As in moat.hpp, a body has its own list of exceptions in flight and in
 * handlers: it may yield inside a catch clause.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_GEN_HPP
#define MOAT_GEN_HPP

#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

#include <moat/gen.h>
#include <moat/moat.hpp>

/* As in moat.hpp: a trap's backtrace goes on in the function that these are
 * inlined into. */
#define MOAT_IN_CALLER __attribute__((always_inline)) inline

namespace moat
{

/**
 * Thrown to the consumer of a generator whose body has trapped. The report is
 * that of native_handle(), until the generator is destroyed; `info().regs` is
 * null, since an exception may outlive it.
 */
class generator_trap : public std::exception
{
  public:
    explicit generator_trap(const moat_trap_info &info) noexcept : info_(info)
    {
        info_.regs = nullptr;
    }
    const moat_trap_info &info() const noexcept
    {
        return info_;
    }
    moat_trap_kind kind() const noexcept
    {
        return info_.kind;
    }
    const char *what() const noexcept override
    {
        return moat_trap_kind_str(info_.kind);
    }

  private:
    moat_trap_info info_;
};

template <class T> class producer;

namespace detail
{

struct no_item {
};

template <class T> struct gen_body : body_base {
    std::exception_ptr raised; /* for the yield where the body waits */

    gen_body() noexcept : body_base(nullptr)
    {
    }
    virtual void run(producer<T> &self) = 0;

    static void enter(moat_gen *gen, void *arg)
    {
        auto *self = static_cast<gen_body *>(arg);
        producer<T> handle(gen, *self);

        self->run(handle);
    }
};

template <class T, class Function> struct gen_body_of final : gen_body<T> {
    Function function;

    template <class F>
    explicit gen_body_of(F &&from) : function(std::forward<F>(from))
    {
    }
    void run(producer<T> &self) override
    {
        function(self);
    }
};

} // namespace detail

/** A generator as its body sees it. */
template <class T> class producer
{
    /* Never an item, if T is const: one overload less. */
    using copied =
        std::conditional_t<std::is_const_v<T>, detail::no_item, const T>;

  public:
    producer(moat_gen *gen, detail::gen_body<T> &body) noexcept
        : gen_(gen), body_(body)
    {
    }
    producer(const producer &) = delete;
    producer &operator=(const producer &) = delete;

    /**
     * Passes an item to the consumer and waits until it asks for the next one.
     *
     * The consumer sees the item itself, where it lies: an lvalue of the body
     * may come back changed. A const one is copied, and a temporary lives until
     * the call returns.
     *
     * @throws what the consumer has passed to generator::raise
     */
    void yield(T &item)
    {
        pass(std::addressof(item));
    }
    void yield(T &&item)
    {
        pass(std::addressof(item));
    }
    void yield(const copied &item)
    {
        T copy(item);
        pass(std::addressof(copy));
    }

    /** Passes each item of another range, a generator or not. */
    template <class Range> void yield_from(Range &&range)
    {
        for (auto &&item : range)
            yield(std::forward<decltype(item)>(item));
    }

    /** For the C functions. */
    moat_gen *native_handle() const noexcept
    {
        return gen_;
    }

  private:
    void pass(const void *item)
    {
        moat_gen_yield(gen_, const_cast<void *>(item));
        if (MOAT_UNLIKELY(body_.raised != nullptr))
            std::rethrow_exception(std::exchange(body_.raised, nullptr));
    }

    moat_gen *gen_;
    detail::gen_body<T> &body_;
};

/**
 * A sequence of items that a function yields, as an input range. The function
 * is called as function(producer<T> &) when the first item is asked for.
 *
 * The destructor unwinds a body that has not ended. The generator belongs to
 * the thread that created it.
 */
template <class T> class generator
{
    static_assert(std::is_object_v<T>, "items are objects: use a pointer");

  public:
    /** Marks the end of the sequence. */
    struct sentinel {
    };

    class iterator
    {
      public:
        using iterator_category = std::input_iterator_tag;
        using iterator_concept = std::input_iterator_tag;
        using value_type = std::remove_cv_t<T>;
        using difference_type = std::ptrdiff_t;
        using pointer = T *;
        using reference = T &;

        iterator() noexcept = default;

        reference operator*() const noexcept
        {
            return *item_;
        }
        pointer operator->() const noexcept
        {
            return item_;
        }
        MOAT_IN_CALLER iterator &operator++()
        {
            item_ = from_->next();
            return *this;
        }
        MOAT_IN_CALLER void operator++(int)
        {
            ++*this;
        }
        friend bool operator==(const iterator &left, sentinel) noexcept
        {
            return left.item_ == nullptr;
        }
        friend bool operator==(sentinel, const iterator &right) noexcept
        {
            return right.item_ == nullptr;
        }
        friend bool operator!=(const iterator &left, sentinel) noexcept
        {
            return left.item_ != nullptr;
        }
        friend bool operator!=(sentinel, const iterator &right) noexcept
        {
            return right.item_ != nullptr;
        }

      private:
        friend class generator;
        iterator(generator *from, T *item) noexcept : from_(from), item_(item)
        {
        }

        generator *from_ = nullptr;
        T *item_ = nullptr;
    };

    /** Owns nothing: every call throws moat::error. */
    generator() noexcept = default;

    /** @throws moat::error with the status of moat_gen_create */
    template <class Function, class = std::enable_if_t<!std::is_same_v<
                                  std::decay_t<Function>, generator>>>
    explicit generator(Function &&function)
        : body_(make_body(std::forward<Function>(function)))
    {
        check(moat_gen_create(&gen_, body_type::enter, body_.get(), nullptr));
    }

    /** With options; `user` is not used.
     *
     *  @throws moat::error with the status of moat_gen_create */
    template <class Function>
    generator(Function &&function, const moat_co_options &options)
        : body_(make_body(std::forward<Function>(function)))
    {
        check(moat_gen_create(&gen_, body_type::enter, body_.get(), &options));
    }

    /** With the options of a spec.
     *
     *  @throws moat::error with the status of moat_gen_create_from */
    template <class Function>
    generator(Function &&function, const spec &from)
        : body_(make_body(std::forward<Function>(function)))
    {
        check(moat_gen_create_from(&gen_, from.native_handle(),
                                   body_type::enter, body_.get()));
    }

    generator(generator &&other) noexcept
        : body_(std::move(other.body_)),
          gen_(std::exchange(other.gen_, nullptr))
    {
    }
    generator &operator=(generator &&other) noexcept
    {
        generator old(std::move(*this));
        body_ = std::move(other.body_);
        gen_ = std::exchange(other.gen_, nullptr);
        return *this;
    }
    ~generator()
    {
        if (gen_ == nullptr)
            return;
        detail::place place(*body_);
        moat_gen_destroy(gen_);
    }

    /**
     * Runs the body to its next item. It is valid until the next call.
     *
     * @return the item; null at the end of the sequence
     *
     * @throws the exception that leaves the body; generator_trap;
     * moat::error with the status of moat_co_resume
     */
    MOAT_IN_CALLER T *next()
    {
        void *item = nullptr;

        check_owned();
        {
            detail::place place(*body_);
            if (!moat_gen_next(gen_, &item))
                item = nullptr;
        }
        if (MOAT_UNLIKELY(item == nullptr))
            settle();
        return static_cast<T *>(item);
    }

    /**
     * Throws an exception in the body, at the yield where it waits, and runs on
     * to the next item. A body that has not begun does not begin, and one that
     * has ended stays so: the exception comes back.
     *
     * @return as next
     * @throws as next
     */
    MOAT_IN_CALLER T *raise(std::exception_ptr exception)
    {
        check_owned();
        if (exception == nullptr)
            throw error(
                moat_error_note(MOAT_E_INVAL, "exception is NULL", 0, 0));
        if (moat_co_get_state(native_handle()) != MOAT_CO_SUSPENDED) {
            cancel();
            std::rethrow_exception(exception);
        }
        body_->raised = std::move(exception);
        try {
            return next();
        } catch (const error &) {
            body_->raised = nullptr; /* the call may have been refused */
            throw;
        }
    }

    /**
     * Unwinds the body; see moat_gen_cancel.
     *
     * @throws as next
     */
    MOAT_IN_CALLER void cancel()
    {
        moat_status status;

        check_owned();
        {
            detail::place place(*body_);
            status = moat_gen_cancel(gen_);
        }
        settle(status);
    }

    /** Takes the next item: a loop goes on where another has stopped.
     *
     *  @throws as next */
    MOAT_IN_CALLER iterator begin()
    {
        return iterator(this, next());
    }
    sentinel end() const noexcept
    {
        return {};
    }

    /** Returns how it has ended; MOAT_E_INVAL if the object owns nothing. */
    moat_status status() const noexcept
    {
        return moat_gen_status(gen_);
    }

    /** For the C functions that ask about a coroutine; null if the object owns
     *  nothing. */
    moat_co *native_handle() const noexcept
    {
        return moat_gen_co(gen_);
    }

    explicit operator bool() const noexcept
    {
        return gen_ != nullptr;
    }

  private:
    using body_type = detail::gen_body<T>;

    template <class Function>
    static std::unique_ptr<body_type> make_body(Function &&function)
    {
        return std::make_unique<detail::gen_body_of<T, std::decay_t<Function>>>(
            std::forward<Function>(function));
    }

    static void check(moat_status status)
    {
        if (MOAT_UNLIKELY(status != MOAT_OK))
            throw error(status);
    }

    void check_owned() const
    {
        if (MOAT_UNLIKELY(gen_ == nullptr))
            throw error(moat_error_note(
                MOAT_E_INVAL,
                "the object owns no generator: it was moved from, or is empty",
                0, 0));
    }

    /* Throws what a call without an item has met. */
    void settle()
    {
        settle(moat_gen_status(gen_));
    }
    void settle(moat_status status)
    {
        if (status == MOAT_E_FAULT)
            throw trap();
        if (status != MOAT_E_EXCEPTION)
            check(status);
        else if (void *exception = moat_gen_take_exception(gen_))
            detail::throw_again(exception);
    }

    generator_trap trap() const
    {
        moat_trap_info info = MOAT_TRAP_INFO_INIT;

        check(moat_co_trap_info(native_handle(), &info));
        return generator_trap(info);
    }

    std::unique_ptr<body_type> body_;
    moat_gen *gen_ = nullptr;
};

} // namespace moat

#undef MOAT_IN_CALLER

#endif
