/*
 * spec.hpp: the spec of moat.hpp, which includes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MOAT_SPEC_HPP
#define MOAT_SPEC_HPP

#include <cstddef>
#include <utility>

#include <moat/event.hpp>
#include <moat/moat.h>

namespace moat
{

/**
 * Options that are checked once, with all that they point to, and from which
 * coroutines are then created at little cost: see moat_spec_create.
 *
 *   moat::spec workers(options);
 *   auto co = workers.create_from<moat::coroutine<int>>(function);
 *
 * The destructor ends the spec; coroutines made from it live on. Any thread may
 * use it.
 */
class spec
{
  public:
    /** Owns nothing: every call throws moat::error. */
    spec() noexcept = default;

    /** The option `user` is not part of a spec: each create has its own.
     *
     * @throws moat::error with the status of moat_spec_create */
    explicit spec(const moat_co_options &options)
    {
        check(moat_spec_create(&spec_, &options));
    }
    spec(spec &&other) noexcept : spec_(std::exchange(other.spec_, nullptr))
    {
    }
    spec &operator=(spec &&other) noexcept
    {
        spec old(std::move(*this));
        spec_ = std::exchange(other.spec_, nullptr);
        return *this;
    }
    ~spec()
    {
        moat_spec_destroy(spec_);
    }

    /**
     * Keeps `count` coroutines ready on this thread, so that as many creates
     * make no system call; see moat_spec_prepare.
     *
     * @throws moat::error with the status of moat_spec_prepare
     */
    void prepare(std::size_t count)
    {
        check(moat_spec_prepare(spec_, count));
    }

    /**
     * Creates a coroutine of the class Coroutine, a moat::coroutine, as its
     * constructor does from a spec. `user` is for moat_co_user.
     *
     * @throws moat::error with the status of moat_co_create_from
     */
    template <class Coroutine, class Function>
    [[nodiscard]] Coroutine create_from(Function &&function,
                                        void *user = nullptr) const
    {
        return Coroutine(std::forward<Function>(function), *this, user);
    }

    /** For the C functions, except moat_spec_destroy. */
    moat_spec *native_handle() const noexcept
    {
        return spec_;
    }

    explicit operator bool() const noexcept
    {
        return spec_ != nullptr;
    }

  private:
    static void check(moat_status status)
    {
        if (MOAT_UNLIKELY(status != MOAT_OK))
            throw error(status);
    }

    moat_spec *spec_ = nullptr;
};

} // namespace moat

#endif
