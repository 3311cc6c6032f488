/*
 * wrapper.cc: tests moat/moat.hpp: ownership, typed values, traps and
 * exceptions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

static int failures;

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::printf("wrapper.cc:%d: does not hold: %s\n", line, what);
    ++failures;
}

#define CHECK(condition) check((condition), #condition, __LINE__)

namespace
{

using std::get_if;
using std::holds_alternative;

/* Counts its live objects. */
struct counted {
    static int alive;
    counted()
    {
        ++alive;
    }
    counted(const counted &)
    {
        ++alive;
    }
    counted &operator=(const counted &) = default;
    ~counted()
    {
        --alive;
    }
};
int counted::alive;

struct counted_error : std::runtime_error {
    counted here;
    counted_error() : std::runtime_error("counted")
    {
    }
};

/* --- values ------------------------------------------------------------------
 */

void values_of_any_type_pass()
{
    moat::coroutine<std::string, std::unique_ptr<int>, std::vector<int>> co(
        [](auto &self, std::unique_ptr<int> first) {
            std::vector<int> all = {*first};
            for (int i = 0; i < 3; ++i)
                all.push_back(
                    *self.yield("a string too long for the object itself " +
                                std::to_string(i)));
            return all;
        });

    for (int i = 0; i < 3; ++i) {
        auto event = co.resume(std::make_unique<int>(i));
        auto *yield = get_if<moat::yielded<std::string>>(&event);
        CHECK(yield != nullptr && yield->value.back() == '0' + i);
        CHECK(co.state() == MOAT_CO_SUSPENDED);
    }
    auto event = co.resume(std::make_unique<int>(3));
    auto *end = get_if<moat::returned<std::vector<int>>>(&event);
    CHECK(end != nullptr && end->value == std::vector<int>({0, 1, 2, 3}));
    CHECK(co.state() == MOAT_CO_DONE);
}

void void_passes()
{
    int rounds = 0;
    moat::coroutine<void> co([&rounds](moat::guest<void> &self) {
        while (rounds < 2) {
            ++rounds;
            self.yield();
        }
    });

    CHECK(holds_alternative<moat::yielded<void>>(co.resume()));
    CHECK(holds_alternative<moat::yielded<void>>(co.resume()));
    CHECK(holds_alternative<moat::returned<void>>(co.resume()));
    co.reset();
    rounds = 1;
    CHECK(holds_alternative<moat::yielded<void>>(co.resume()));
    CHECK(holds_alternative<moat::returned<void>>(co.resume()));
}

/* Values are converted before they are passed. */
void values_are_converted()
{
    moat::coroutine<std::string, double, std::string> co(
        [](auto &self, double first) {
            return first + self.yield("literal") == 3.0 ? "sum" : "no sum";
        });

    auto event = co.resume(1);
    auto *yield = get_if<moat::yielded<std::string>>(&event);
    CHECK(yield != nullptr && yield->value == "literal");
    event = co.resume(2);
    auto *end = get_if<moat::returned<std::string>>(&event);
    CHECK(end != nullptr && end->value == "sum");
}

/* --- ownership ---------------------------------------------------------------
 */

moat::coroutine<int> forever()
{
    return moat::coroutine<int>([](auto &self) {
        counted here;
        for (int i = 0;; ++i)
            self.yield(i);
    });
}

int next(moat::coroutine<int> &co)
{
    auto event = co.resume();
    auto *yield = get_if<moat::yielded<int>>(&event);
    return yield != nullptr ? yield->value : -1;
}

template <class Call> moat_status status_of(Call call)
{
    try {
        call();
    } catch (const moat::error &error) {
        std::string what = error.what();
        CHECK(what.rfind(moat_status_name(error.status()), 0) == 0);
        return error.status();
    }
    return MOAT_OK;
}

/* The what() of an error is that of the refused call, and not of one before. */
void errors_explain_themselves()
{
    moat_co_options options = moat::default_options();
    moat::coroutine<int> empty, done([](auto &) {});
    std::string first, second, third;

    options.stack_bytes = 100;
    (void)done.resume();
    try {
        moat::coroutine<int> small([](auto &) {}, options);
    } catch (const moat::error &error) {
        first = error.what();
    }
    try {
        (void)done.resume();
    } catch (const moat::error &error) {
        second = error.what();
    }
    try {
        (void)empty.resume();
    } catch (const moat::error &error) {
        third = error.what();
    }
    CHECK(first.find("stack_bytes is 100") != std::string::npos);
    CHECK(second ==
          "MOAT_E_STATE: the call is not legal in the object's state");
    CHECK(third.find("owns no coroutine") != std::string::npos);
}

void it_moves_and_cleans_up()
{
    {
        moat::coroutine<int> first = forever();
        CHECK(next(first) == 0 && counted::alive == 1);
        moat::coroutine<int> second = std::move(first);
        CHECK(!first && first.state() == MOAT_CO_INVALID && second);
        CHECK(next(second) == 1);
        CHECK(status_of([&] { (void)first.resume(); }) == MOAT_E_INVAL);
        CHECK(status_of([&] { (void)first.cancel(); }) == MOAT_E_INVAL);
        CHECK(status_of([&] { first.reset(); }) == MOAT_E_INVAL);
        moat::coroutine<int> third = forever();
        CHECK(next(third) == 0 && counted::alive == 2);
        third = std::move(second);
        CHECK(counted::alive == 1 && next(third) == 2);
    }
    CHECK(counted::alive == 0);
}

void a_cancel_runs_destructors()
{
    moat::coroutine<int> co = forever();

    CHECK(next(co) == 0 && counted::alive == 1);
    CHECK(holds_alternative<moat::cancelled>(co.cancel()));
    CHECK(counted::alive == 0 && co.state() == MOAT_CO_DONE);
    CHECK(status_of([&] { (void)co.resume(); }) == MOAT_E_STATE);
    CHECK(status_of([&] { (void)co.cancel(); }) == MOAT_E_STATE);
    co.reset();
    CHECK(holds_alternative<moat::cancelled>(co.cancel()));
}

void a_cancel_may_be_caught()
{
    moat::coroutine<int, void, int> co([](auto &self) {
        try {
            self.yield(1);
        } catch (...) {
            self.yield(2);
        }
        return 3;
    });

    CHECK(holds_alternative<moat::yielded<int>>(co.resume()));
    CHECK(holds_alternative<moat::yielded<int>>(co.cancel()));
    auto event = co.resume();
    CHECK(holds_alternative<moat::returned<int>>(event));
}

/* --- options -------------------------------------------------------------- */

void options_are_the_users()
{
    moat_co_options options = moat::default_options();
    moat_stack_info stack = {};
    int mine = 0;

    options.stack_bytes = 65536;
    options.name = "worker";
    options.user = &mine;
    moat::coroutine<int> co([](auto &self) { self.yield(1); }, options);
    CHECK(std::string(moat_co_name(co.native_handle())) == "worker");
    CHECK(moat_co_user(co.native_handle()) == &mine);
    CHECK(moat_co_stack_info(co.native_handle(), &stack) == MOAT_OK &&
          stack.base - stack.limit >= 65536 &&
          stack.base - stack.limit < 131072);
    options.stack_bytes = 1;
    CHECK(status_of([&] {
              moat::coroutine<int> bad([](auto &self) { self.yield(1); },
                                       options);
          }) == MOAT_E_INVAL);
}

/* --- specs ---------------------------------------------------------------- */

moat_co_options worker_options()
{
    moat_co_options options = moat::default_options();

    options.stack_bytes = 65536;
    options.name = "worker";
    return options;
}

void a_spec_makes_coroutines()
{
    using worker = moat::coroutine<int, void, std::string>;
    moat::spec workers(worker_options());
    int mine = 0;

    CHECK(workers && workers.native_handle() != nullptr);
    workers.prepare(2);
    for (int i = 0; i < 3; ++i) {
        auto co = workers.create_from<worker>(
            [i](auto &self) {
                self.yield(i);
                return std::string("done");
            },
            &mine);
        CHECK(std::string(moat_co_name(co.native_handle())) == "worker");
        CHECK(moat_co_user(co.native_handle()) == &mine);
        auto event = co.resume();
        auto *yield = get_if<moat::yielded<int>>(&event);
        CHECK(yield != nullptr && yield->value == i);
        event = co.resume();
        auto *end = get_if<moat::returned<std::string>>(&event);
        CHECK(end != nullptr && end->value == "done");
    }

    /* By the constructor; and without `user`. */
    worker co([](auto &) { return std::string(); }, workers);
    CHECK(moat_co_user(co.native_handle()) == nullptr);
    CHECK(holds_alternative<moat::returned<std::string>>(co.resume()));
}

void a_spec_moves_and_ends()
{
    moat::coroutine<int> survivor;
    moat::spec empty, first(worker_options());
    moat_spec *handle = first.native_handle();

    static_assert(!std::is_copy_constructible_v<moat::spec> &&
                      !std::is_copy_assignable_v<moat::spec>,
                  "a spec has one owner");
    empty = std::move(first);
    CHECK(empty.native_handle() == handle);
    CHECK(!first); /* NOLINT(bugprone-use-after-move) */
    {
        moat::spec last(std::move(empty));
        survivor = last.create_from<moat::coroutine<int>>(
            [](auto &self) { self.yield(7); });
    }
    /* The coroutine outlives its spec. */
    CHECK(std::string(moat_co_name(survivor.native_handle())) == "worker");
    auto event = survivor.resume();
    CHECK(holds_alternative<moat::yielded<int>>(event));
    CHECK(holds_alternative<moat::returned<void>>(survivor.resume()));
}

void a_spec_reports_errors()
{
    moat_co_options options = worker_options();
    moat::spec empty;

    options.stack_bytes = 1;
    CHECK(status_of([&] { moat::spec bad(options); }) == MOAT_E_INVAL);
    CHECK(status_of([&] { empty.prepare(1); }) == MOAT_E_INVAL);
    CHECK(status_of([&] {
              auto co = empty.create_from<moat::coroutine<int>>([](auto &) {});
              (void)co;
          }) == MOAT_E_INVAL);
}

/* --- traps ---------------------------------------------------------------- */

int *volatile nowhere;

void a_trap_is_a_value()
{
    moat::coroutine<int, bool> co([](auto &self, bool faulty) {
        if (faulty)
            *nowhere = 1;
        self.yield(5);
    });

    auto event = co.resume(true);
    auto *trap = get_if<moat::trapped>(&event);
    CHECK(trap != nullptr && trap->kind() == MOAT_TRAP_NULL);
    CHECK(trap != nullptr &&
          trap->what() == std::string("null pointer access"));
    CHECK(co.state() == MOAT_CO_TRAPPED);
    co.reset();
    CHECK(holds_alternative<moat::yielded<int>>(co.resume(false)));
}

/* Returns the caller's frame that follows the coroutine's border. */
std::string resumer_of(const moat::coroutine<int, int> &co)
{
    static moat_frame frames[64];
    std::size_t count = 0, i = 0;
    char text[512] = "";
    moat_status status =
        moat_co_backtrace(co.native_handle(), frames, 64, &count);

    if (status == MOAT_E_UNSUPPORTED)
        return "";
    CHECK(status == MOAT_OK);
    while (i < count && !(frames[i].flags & MOAT_FRAME_ROOT))
        ++i;
    CHECK(i + 1 < count);
    if (i + 1 < count)
        CHECK(moat_frame_describe(&frames[i + 1], text, sizeof text) ==
              MOAT_OK);
    return text;
}

/* The function that called resume or cancel has not returned when it asks for
 * the backtrace, so the resumer's part is there, starting at that function. */
extern "C" __attribute__((noinline)) void asks_for_the_resumer()
{
    moat::coroutine<int, int> resumed([](auto &, int i) { *nowhere = i; });
    moat::coroutine<int, int> cancelled([](auto &self, int i) {
        struct at_the_end {
            ~at_the_end()
            {
                *nowhere = 0;
            }
        } end;
        self.yield(i);
    });
    std::string resumer;

    CHECK(holds_alternative<moat::trapped>(resumed.resume(1)));
    resumer = resumer_of(resumed);
    CHECK(resumer.empty() || resumer.find("asks_for_the_resumer+") == 0);
    CHECK(resumer.find("moat.hpp") == std::string::npos);
    CHECK(holds_alternative<moat::yielded<int>>(cancelled.resume(1)));
    CHECK(holds_alternative<moat::trapped>(cancelled.cancel()));
    resumer = resumer_of(cancelled);
    CHECK(resumer.empty() || resumer.find("asks_for_the_resumer+") == 0);
    CHECK(resumer.find("moat.hpp") == std::string::npos);
}

#ifndef __SANITIZE_THREAD__
void a_time_limit_is_a_trap()
{
    moat_co_options options = moat::default_options();
    moat_limits limits = MOAT_LIMITS_INIT;

    limits.wall_ns = 10000000;
    options.limits = &limits;
    moat::coroutine<void> co(
        [](auto &) {
            for (;;)
                __asm__ volatile("");
        },
        options);
    auto event = co.resume();
    auto *trap = get_if<moat::trapped>(&event);
    CHECK(trap != nullptr && trap->kind() == MOAT_TRAP_DEADLINE);
}

/* Longer than many slices. */
void compute()
{
    for (volatile unsigned i = 0; i < 20000000;)
        i = i + 1;
}

/* The value may be taken long after the resume that has passed it. Neither side
 * allocates: a guest may be preempted inside malloc. */
void a_preempted_guest_keeps_its_input()
{
    using words = std::array<long, 64>;
    moat_co_options options = moat::default_options();
    moat_limits limits = MOAT_LIMITS_INIT;
    words input = {};
    unsigned times = 0;

    limits.slice_ns = 20000;
    options.limits = &limits;
    moat::coroutine<void, words, long> co(
        [](moat::guest<void, words> &self, words first) {
            compute();
            words second = self.yield();
            compute();
            return first[63] * 10 + second[63];
        },
        options);
    input[63] = 1;
    auto event = co.resume(input);
    for (; std::holds_alternative<moat::preempted>(event); times++)
        event = co.resume(words{});
    CHECK(std::holds_alternative<moat::yielded<void>>(event));
    CHECK(times > 0);
    input[63] = 2;
    event = co.resume(input);
    for (times = 0; std::holds_alternative<moat::preempted>(event); times++)
        event = co.resume(words{});
    CHECK(times > 0);
    auto *end = std::get_if<moat::returned<long>>(&event);
    CHECK(end != nullptr && end->value == 12);
}

/* Computes inside a handler of an exception, and inside one in that, for longer
 * than many slices. To throw takes memory, and the end of a handler returns it:
 * no slice may end there. */
long handle_slowly(long number)
{
    auto compute_sliced = [] {
        moat_notrap_leave();
        compute();
        moat_notrap_enter();
    };

    moat_notrap_enter();
    try {
        throw number;
    } catch (long outer) {
        compute_sliced();
        try {
            throw number + 1;
        } catch (long inner) {
            compute_sliced();
            CHECK(std::uncaught_exceptions() == 0);
            number = outer + inner;
        }
        compute_sliced();
        try {
            throw;
        } catch (long again) {
            CHECK(again == outer);
        }
    }
    moat_notrap_leave();
    CHECK(std::current_exception() == nullptr);
    return number;
}

void *handle_slowly_in_c(moat_co *, void *number)
{
    long before = *static_cast<long *>(number);
    long after = handle_slowly(before) + handle_slowly(before);

    *static_cast<long *>(number) = after;
    return nullptr;
}

void *yield_in_a_handler(moat_co *self, void *number)
{
    moat_notrap_enter();
    try {
        throw *static_cast<long *>(number);
    } catch (long) {
        moat_notrap_leave();
        compute();
        (void)moat_co_yield(self, nullptr);
        moat_notrap_enter();
        try {
            throw;
        } catch (long again) {
            *static_cast<long *>(number) = again + 1;
        }
    }
    moat_notrap_leave();
    return nullptr;
}

void a_preempted_coroutine_may_yield_in_a_handler()
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    moat_event event = {};
    moat_co *guest = nullptr;
    long number = 41;
    unsigned yields = 0, times = 0;

    limits.slice_ns = 100000;
    options.limits = &limits;
    CHECK(moat_co_create(&guest, yield_in_a_handler, &options) == MOAT_OK);
    do {
        CHECK(moat_co_resume(guest, &number, &event) == MOAT_OK);
        yields += event.kind == MOAT_EVENT_YIELD;
        times += event.kind == MOAT_EVENT_PREEMPT;
    } while (event.kind != MOAT_EVENT_RETURN && event.kind != MOAT_EVENT_TRAP);
    CHECK(event.kind == MOAT_EVENT_RETURN);
    CHECK(yields == 1 && times > 5 && number == 42);
    CHECK(std::current_exception() == nullptr);
    moat_co_destroy(guest);
}

/* The same for coroutines of the interface in C, resumed inside a handler and
 * outside. */
void preempted_coroutines_keep_their_exceptions_apart()
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_limits limits = MOAT_LIMITS_INIT;
    std::array<moat_co *, 3> guests = {};
    std::array<long, 3> numbers = {0, 10, 20};
    unsigned times = 0, ended = 0;

    limits.slice_ns = 100000;
    options.limits = &limits;
    for (auto &guest : guests)
        CHECK(moat_co_create(&guest, handle_slowly_in_c, &options) == MOAT_OK);
    auto resume = [&](size_t i) {
        moat_event event = {};

        if (moat_co_get_state(guests[i]) == MOAT_CO_DONE)
            return;
        CHECK(moat_co_resume(guests[i], &numbers[i], &event) == MOAT_OK);
        times += event.kind == MOAT_EVENT_PREEMPT;
        ended += event.kind != MOAT_EVENT_PREEMPT;
    };
    while (ended < 3) {
        for (size_t i = 0; i < 3; i++)
            resume(i);
        try {
            throw 77;
        } catch (int) {
            for (size_t i = 0; i < 3; i++)
                resume(i);
            try {
                throw;
            } catch (int mine) {
                CHECK(mine == 77);
            }
        }
        CHECK(std::current_exception() == nullptr);
    }
    CHECK(times > 30);
    for (size_t i = 0; i < 3; i++) {
        CHECK(numbers[i] == 2 * (20 * static_cast<long>(i) + 1));
        moat_co_destroy(guests[i]);
    }
}

/* Guests whose slices end in handlers leave these in any order: each has a list
 * of its own, and so has their host. */
void preempted_guests_keep_their_exceptions_apart()
{
    using handler = moat::coroutine<void, void, long>;
    moat_co_options options = moat::default_options();
    moat_limits limits = MOAT_LIMITS_INIT;
    unsigned times = 0, ended = 0;

    limits.slice_ns = 100000;
    options.limits = &limits;
    std::vector<handler> guests;
    for (long i = 0; i < 3; i++)
        guests.emplace_back(
            [i](moat::guest<void, void> &) {
                return handle_slowly(10 * i) + handle_slowly(10 * i);
            },
            options);
    try {
        throw 77;
    } catch (int mine) {
        std::array<bool, 3> done = {};
        for (size_t i = 0; ended < guests.size(); i = (i + 1) % 3) {
            if (done[i])
                continue;
            auto event = guests[i].resume();
            auto *end = std::get_if<moat::returned<long>>(&event);
            times += std::holds_alternative<moat::preempted>(event);
            done[i] = end != nullptr;
            ended += done[i];
            CHECK(end == nullptr ||
                  end->value == 2 * (20 * static_cast<long>(i) + 1));
        }
        CHECK(std::current_exception() != nullptr && mine == 77);
    }
    CHECK(times > 30);
    CHECK(std::current_exception() == nullptr);
}
#endif

/* --- exceptions ----------------------------------------------------------- */

/* Records the runtime's count of uncaught exceptions when it is destroyed. */
struct witness {
    int *count;
    ~witness()
    {
        *count = std::uncaught_exceptions();
    }
};

void no_exception_is_left()
{
    CHECK(std::uncaught_exceptions() == 0);
    CHECK(std::current_exception() == nullptr);
    CHECK(counted::alive == 0);
}

void an_exception_passes()
{
    const void *thrown = nullptr;
    int in_flight = -1;
    moat::coroutine<int> co([&thrown](auto &self) {
        try {
            self.yield(1);
            throw counted_error();
        } catch (counted_error &error) {
            thrown = &error;
            throw;
        }
    });

    CHECK(next(co) == 1);
    try {
        witness here = {&in_flight};
        (void)co.resume();
        CHECK(false);
    } catch (const counted_error &error) {
        CHECK(&error == thrown);
        CHECK(counted::alive == 1);
        CHECK(std::uncaught_exceptions() == 0);
        CHECK(std::current_exception() != nullptr);
    }
    CHECK(in_flight == 1);
    CHECK(co.state() == MOAT_CO_DONE);
    no_exception_is_left();
}

void an_exception_passes_two_borders()
{
    moat::coroutine<int> outer([](auto &) {
        moat::coroutine<int> inner([](auto &) { throw counted_error(); });
        counted here;
        (void)inner.resume();
    });

    try {
        (void)outer.resume();
        CHECK(false);
    } catch (const std::runtime_error &error) {
        CHECK(error.what() == std::string("counted"));
        CHECK(counted::alive == 1);
    }
    no_exception_is_left();
}

/* C exceptions have no type. */
struct panic {
    _Unwind_Exception exception;
    bool is_deleted;
};

void delete_panic(_Unwind_Reason_Code, _Unwind_Exception *exception)
{
    reinterpret_cast<panic *>(exception)->is_deleted = true;
}

void a_panic_passes()
{
    alignas(16) panic what = {};
    bool caught = false;
    moat::coroutine<int> co([&what](auto &) {
        what.exception.exception_cleanup = delete_panic;
        (void)_Unwind_RaiseException(&what.exception);
    });

    try {
        (void)co.resume();
    } catch (...) {
        caught = true;
        CHECK(!what.is_deleted);
    }
    CHECK(caught && what.is_deleted);
    no_exception_is_left();
}

/* A guest that is suspended inside a catch clause, and its host. */
void lists_are_apart()
{
    const auto body = [](auto &self) {
        try {
            throw std::runtime_error("guest");
        } catch (const std::exception &) {
            CHECK(std::current_exception() != nullptr);
            self.yield(1);
            try {
                throw;
            } catch (const std::exception &again) {
                CHECK(again.what() == std::string("guest"));
            }
        }
        CHECK(std::current_exception() == nullptr);
        self.yield(2);
    };
    moat::coroutine<int> first(body), second(body);

    CHECK(next(first) == 1);
    no_exception_is_left();
    try {
        throw std::logic_error("host");
    } catch (const std::exception &) {
        CHECK(next(second) == 1);
        /* In the order of their start, not in reverse. */
        CHECK(next(first) == 2);
        CHECK(next(second) == 2);
        try {
            throw;
        } catch (const std::exception &again) {
            CHECK(again.what() == std::string("host"));
        }
    }
    no_exception_is_left();
}

struct resumes {
    moat::coroutine<int> *co;
    ~resumes()
    {
        CHECK(std::uncaught_exceptions() == 1);
        CHECK(next(*co) == 0);
        CHECK(std::uncaught_exceptions() == 1);
    }
};

void a_resume_while_unwinding_is_apart()
{
    moat::coroutine<int> co(
        [](auto &self) { self.yield(std::uncaught_exceptions()); });

    try {
        resumes here = {&co};
        throw 1;
    } catch (int) {
    }
    no_exception_is_left();
}

/* The exceptions of a guest that traps or is destroyed belong to that guest. */
void a_lost_guest_takes_its_list_along()
{
    {
        moat::coroutine<int> trapped([](auto &) {
            try {
                throw 1;
            } catch (int) {
                *nowhere = 1;
            }
        });
        CHECK(holds_alternative<moat::trapped>(trapped.resume()));
        no_exception_is_left();
        moat::coroutine<int> catches([](auto &self) {
            try {
                self.yield(1);
            } catch (...) {
                throw;
            }
        });
        CHECK(next(catches) == 1);
        CHECK(holds_alternative<moat::cancelled>(catches.cancel()));
        no_exception_is_left();
        moat::coroutine<int> yields([](auto &self) {
            try {
                self.yield(1);
            } catch (...) {
                self.yield(2);
                throw;
            }
        });
        CHECK(next(yields) == 1);
    }
    no_exception_is_left();
}

void a_cancel_may_throw()
{
    moat::coroutine<int> co([](auto &self) {
        try {
            self.yield(1);
        } catch (...) {
            throw counted_error();
        }
    });

    CHECK(next(co) == 1);
    try {
        (void)co.cancel();
        CHECK(false);
    } catch (const counted_error &) {
    }
    CHECK(co.state() == MOAT_CO_DONE);
    no_exception_is_left();
    /* The destructor discards the exception. */
    {
        co.reset();
        CHECK(next(co) == 1);
        moat::coroutine<int> gone = std::move(co);
    }
    no_exception_is_left();
}

/* --- transfer ----------------------------------------------------------------
 */

using stage = moat::coroutine<int, int, std::string>;

void a_place_is_handed_over()
{
    stage second([](auto &self, int number) {
        number = self.yield(number * 10);
        number = self.yield(number * 10);
        return "second " + std::to_string(number);
    });
    stage first([&](auto &self, int number) {
        return "first " + std::to_string(self.switch_to(second, number + 1));
    });

    auto event = first.resume(1);
    auto *yield = get_if<moat::yielded<int>>(&event);
    CHECK(yield != nullptr && yield->value == 20);
    CHECK(first.speaker() == second.native_handle());
    CHECK(first.state() == MOAT_CO_SUSPENDED);
    event = second.resume(3);
    yield = get_if<moat::yielded<int>>(&event);
    CHECK(yield != nullptr && yield->value == 30);
    event = first.resume(5);
    auto *result = get_if<moat::returned<std::string>>(&event);
    CHECK(result != nullptr && result->value == "first 5");
    CHECK(first.speaker() == first.native_handle());
    event = second.resume(7);
    result = get_if<moat::returned<std::string>>(&event);
    CHECK(result != nullptr && result->value == "second 7");
}

void a_switch_may_be_refused()
{
    stage nothing, done([](auto &, int) { return std::string(); });
    moat::coroutine<int, int, int> other([](auto &, int) { return 1; });
    stage first([&](auto &self, int number) {
        int refusals = 0;
        auto refused = [&](auto &to, moat_status status) {
            try {
                self.switch_to(to, number);
            } catch (const moat::error &error) {
                refusals += error.status() == status;
            }
        };
        refused(nothing, MOAT_E_INVAL);
        refused(other, MOAT_E_INVAL);
        refused(done, MOAT_E_STATE);
        /* The transfer is refused, which does not affect the running
         * coroutine. */
        try {
            (void)first.resume(1);
        } catch (const moat::error &error) {
            refusals += error.status() == MOAT_E_STATE;
        }
        refused(first, MOAT_E_STATE);
        return std::to_string(refusals);
    });

    (void)done.resume(1);
    auto event = first.resume(1);
    auto *result = get_if<moat::returned<std::string>>(&event);
    CHECK(result != nullptr && result->value == "5");
}

void exceptions_stay_with_their_coroutine()
{
    stage second([](auto &self, int number) -> std::string {
        CHECK(std::current_exception() == nullptr);
        try {
            throw 2;
        } catch (int) {
            number = self.yield(number);
        }
        throw counted_error();
    });
    stage first([&](auto &self, int number) {
        counted here;
        try {
            try {
                throw 1;
            } catch (int) {
                number = self.switch_to(second, number);
                throw;
            }
        } catch (int caught) {
            return std::to_string(caught);
        }
    });
    bool thrown = false;

    CHECK(holds_alternative<moat::yielded<int>>(first.resume(1)));
    CHECK(std::current_exception() == nullptr);
    auto event = first.resume(1);
    auto *result = get_if<moat::returned<std::string>>(&event);
    CHECK(result != nullptr && result->value == "1");
    CHECK(std::uncaught_exceptions() == 0);
    try {
        (void)second.resume(1);
    } catch (const counted_error &) {
        thrown = true;
    }
    CHECK(thrown && counted::alive == 0);
}

void one_that_switched_is_unwound()
{
    stage second([](auto &self, int number) {
        return std::to_string(self.yield(number));
    });
    {
        stage first([&](auto &self, int number) {
            counted here;
            return std::to_string(self.switch_to(second, number));
        });
        (void)first.resume(1);
        CHECK(counted::alive == 1);
    }
    CHECK(counted::alive == 0);
}

void a_trap_in_anothers_place()
{
    stage second([](auto &, int) {
        moat_trap_raise(3);
        return std::string();
    });
    stage first([&](auto &self, int number) {
        return std::to_string(self.switch_to(second, number));
    });
    auto event = first.resume(1);
    auto *trap = get_if<moat::trapped>(&event);

    CHECK(trap != nullptr && trap->info.user_code == 3);
    CHECK(first.speaker() == second.native_handle());
    CHECK(second.state() == MOAT_CO_TRAPPED);
}

} // namespace

int main(int argc, char **)
{
    values_of_any_type_pass();
    values_are_converted();
    void_passes();
    errors_explain_themselves();
    it_moves_and_cleans_up();
    a_cancel_runs_destructors();
    a_cancel_may_be_caught();
    options_are_the_users();
    a_spec_makes_coroutines();
    a_spec_moves_and_ends();
    a_spec_reports_errors();
#ifndef __SANITIZE_THREAD__ /* delays signals in a loop without calls */
    a_time_limit_is_a_trap();
    a_preempted_guest_keeps_its_input();
    preempted_guests_keep_their_exceptions_apart();
    preempted_coroutines_keep_their_exceptions_apart();
    a_preempted_coroutine_may_yield_in_a_handler();
#endif
    an_exception_passes();
    an_exception_passes_two_borders();
    a_panic_passes();
    lists_are_apart();
    a_resume_while_unwinding_is_apart();
    a_cancel_may_throw();
    a_place_is_handed_over();
    a_switch_may_be_refused();
    exceptions_stay_with_their_coroutine();
    one_that_switched_is_unwound();
    /* Memory allocated by a trapped guest is lost, so this does not run under a
     * leak check. */
    if (argc == 1) {
        a_trap_is_a_value();
        a_trap_in_anothers_place();
        asks_for_the_resumer();
        a_lost_guest_takes_its_list_along();
    }
    std::printf("%d failed\n", failures);
    return failures != 0;
}
