/*
 * test_gen_cxx.cc: moat/gen.hpp: ranges, typed items, exceptions in both
 * directions, traps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/gen.hpp>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

/* clang 14 does not compile the views of libstdc++ 12. */
#if __cplusplus >= 202002L && (!defined(__clang__) || __clang_major__ > 15)
#    define WITH_VIEWS 1
#    include <ranges>
#else
#    define WITH_VIEWS 0
#endif

static int failures;

static void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::printf("test_gen_cxx.cc:%d: does not hold: %s\n", line, what);
    ++failures;
}

#define CHECK(condition) check((condition), #condition, __LINE__)

namespace
{

/* Counts its live objects. */
struct counted {
    static int alive;
    counted() noexcept
    {
        ++alive;
    }
    counted(const counted &) noexcept
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

moat::generator<int> numbers(int from = 1)
{
    return moat::generator<int>([from](auto &self) {
        counted here;
        for (int i = from;; ++i)
            self.yield(i);
    });
}

moat::generator<int> up_to(int last)
{
    return moat::generator<int>([last](moat::producer<int> &self) {
        for (int i = 1; i <= last; ++i)
            self.yield(i);
    });
}

template <class Call> moat_status status_of(Call call)
{
    try {
        call();
    } catch (const moat::error &error) {
        return error.status();
    }
    return MOAT_OK;
}

/* --- items ------------------------------------------------------------------
 */

void a_range_has_all_items()
{
    int sum = 0;

    for (int i : up_to(4))
        sum += i;
    CHECK(sum == 10);
    for (int i : up_to(0))
        sum = i;
    CHECK(sum == 10);
    std::string text;
    moat::generator<std::string> words([](auto &self) {
        const std::string kept = "const";
        self.yield("a literal");
        self.yield(kept);
        self.yield(std::string("temporary"));
    });
    for (const std::string &word : words)
        text += word + '.';
    CHECK(text == "a literal.const.temporary.");
    CHECK(words.status() == MOAT_OK);
}

void items_are_passed_where_they_lie()
{
    int seen = 0;
    moat::generator<int> gen([&seen](auto &self) {
        int item = 1;
        const int constant = 5;
        self.yield(item);
        seen = item;
        self.yield(constant);
        seen += constant;
    });

    for (int &item : gen)
        item += 10;
    CHECK(seen == 16);

    moat::generator<const int> constants([](auto &self) {
        int item = 1;
        self.yield(item);
        self.yield(2);
    });
    for (const int &item : constants)
        seen += item;
    CHECK(seen == 19);

    moat::generator<std::unique_ptr<int>> owners(
        [](auto &self) { self.yield(std::make_unique<int>(7)); });
    std::unique_ptr<int> mine;
    for (auto &owner : owners)
        mine = std::move(owner);
    CHECK(mine != nullptr && *mine == 7);
}

struct node {
    const node *left, *right;
    int key;
};

void walk(moat::producer<int> &self, const node *at)
{
    if (at == nullptr)
        return;
    walk(self, at->left);
    self.yield(at->key);
    walk(self, at->right);
}

/* One generator per node. */
void walk_by_generators(moat::producer<int> &self, const node *at)
{
    if (at == nullptr)
        return;
    self.yield_from(moat::generator<int>(
        [at](auto &below) { walk_by_generators(below, at->left); }));
    self.yield(at->key);
    self.yield_from(moat::generator<int>(
        [at](auto &below) { walk_by_generators(below, at->right); }));
}

void a_tree_is_walked()
{
    const node one = {nullptr, nullptr, 1}, three = {nullptr, nullptr, 3};
    const node two = {&one, &three, 2}, five = {nullptr, nullptr, 5};
    const node four = {&two, &five, 4};
    std::string keys;

    for (int key : moat::generator<int>([&](auto &self) { walk(self, &four); }))
        keys += std::to_string(key);
    CHECK(keys == "12345");
    for (int key : moat::generator<int>(
             [&](auto &self) { walk_by_generators(self, &four); }))
        keys += std::to_string(key);
    CHECK(keys == "1234512345");
}

void other_ranges_are_passed_on()
{
    std::vector<std::string> two = {"a", "b"};
    moat::generator<std::string> gen(
        [&two](auto &self) { self.yield_from(two); });
    std::string text;

    for (const std::string &word : gen)
        text += word;
    CHECK(text == "ab" && two[1] == "b");
}

#if WITH_VIEWS
static_assert(std::ranges::input_range<moat::generator<int>>);
static_assert(std::input_iterator<moat::generator<int>::iterator>);

void views_take_it()
{
    int sum = 0;
    moat::generator<int> gen = numbers();

    for (int i : gen | std::views::filter([](int x) { return x % 2 == 0; }) |
                     std::views::take(3))
        sum += i;
    CHECK(sum == 2 + 4 + 6);
}
#endif

/* --- early ends -------------------------------------------------------------
 */

void a_loop_left_early_cleans_up()
{
    for (int i : numbers())
        if (i == 3)
            break;
    CHECK(counted::alive == 0);
    {
        moat::generator<int> gen = numbers();
        for (int i : gen)
            if (i == 3)
                break;
        CHECK(counted::alive == 1);
        for (int i : gen) { /* goes on */
            CHECK(i == 4);
            break;
        }
        gen.cancel();
        CHECK(counted::alive == 0 && gen.status() == MOAT_OK);
        CHECK(gen.next() == nullptr);
    }
    try {
        for (int i : numbers())
            if (i == 2)
                throw std::runtime_error("of the consumer");
    } catch (const std::runtime_error &) {
        CHECK(counted::alive == 0);
    }
}

void it_moves()
{
    moat::generator<int> first = numbers();
    CHECK(*first.next() == 1);
    moat::generator<int> second = std::move(first);
    CHECK(!first && second && first.status() == MOAT_E_INVAL);
    CHECK(status_of([&] { (void)first.next(); }) == MOAT_E_INVAL);
    CHECK(status_of([&] { first.cancel(); }) == MOAT_E_INVAL);
    CHECK(*second.next() == 2);
    second = numbers(7);
    CHECK(counted::alive == 0); /* the former has gone */
    CHECK(*second.next() == 7);
}

void options_and_specs_hold()
{
    moat_co_options options = moat::default_options();

    options.name = "worker";
    moat::generator<int> named([](auto &self) { self.yield(1); }, options);
    CHECK(std::string(moat_co_name(named.native_handle())) == "worker");
    moat::spec workers(options);
    for (int i = 0; i < 100; ++i) {
        moat::generator<int> gen([](auto &self) { self.yield(1); }, workers);
        CHECK(std::string(moat_co_name(gen.native_handle())) == "worker");
        CHECK(*gen.next() == 1 && gen.next() == nullptr);
    }
    CHECK(status_of([&] {
              moat::generator<int> bad([](auto &self) { self.yield(1); },
                                       moat::spec());
          }) == MOAT_E_INVAL);
    options.stack_bytes = 1;
    CHECK(status_of([&] {
              moat::generator<int> bad([](auto &self) { self.yield(1); },
                                       options);
          }) == MOAT_E_INVAL);
}

/* --- exceptions -------------------------------------------------------------
 */

void an_exception_of_the_body_comes_out()
{
    static const std::runtime_error *thrown;
    moat::generator<int> gen([](auto &self) {
        counted here;
        self.yield(1);
        try {
            throw std::runtime_error("of the body");
        } catch (const std::runtime_error &error) {
            thrown = &error;
            throw;
        }
    });
    int items = 0;

    try {
        for (int i : gen)
            items += i;
        CHECK(false); /* not reached */
    } catch (const std::runtime_error &error) {
        CHECK(&error == thrown && items == 1);
        CHECK(std::string(error.what()) == "of the body");
        CHECK(counted::alive == 0);
    }
    CHECK(gen.status() == MOAT_E_EXCEPTION && gen.next() == nullptr);
}

void an_exception_passes_through_a_chain()
{
    moat::generator<int> inner([](auto &self) {
        self.yield(1);
        throw 42;
    });
    moat::generator<int> outer([&inner](auto &self) {
        counted here;
        self.yield_from(inner);
    });
    int caught = 0;

    try {
        for (int i : outer)
            CHECK(i == 1);
    } catch (int number) {
        caught = number;
    }
    CHECK(caught == 42 && counted::alive == 0);
}

void an_exception_of_the_consumer_goes_in()
{
    std::string seen;
    moat::generator<int> gen([&seen](auto &self) {
        for (int i = 1;; ++i)
            try {
                self.yield(i);
            } catch (const std::invalid_argument &error) {
                seen += error.what();
            }
    });

    CHECK(*gen.next() == 1);
    int *item = gen.raise(std::make_exception_ptr(std::invalid_argument("x")));
    CHECK(item != nullptr && *item == 2 && seen == "x");
    bool back = false;
    try {
        (void)gen.raise(std::make_exception_ptr(std::string("not caught")));
    } catch (const std::string &text) {
        back = text == "not caught";
    }
    CHECK(back && gen.next() == nullptr);

    /* One that has not begun. */
    moat::generator<int> fresh = numbers();
    back = false;
    try {
        (void)fresh.raise(std::make_exception_ptr(1));
    } catch (int) {
        back = true;
    }
    CHECK(back && fresh.next() == nullptr && counted::alive == 0);
    CHECK(status_of([&] { (void)fresh.raise(nullptr); }) == MOAT_E_INVAL);
}

void the_lists_are_apart()
{
    moat::generator<int> gen([](auto &self) {
        try {
            throw 1;
        } catch (int) {
            self.yield(1); /* inside the handler */
            CHECK(std::current_exception() != nullptr);
        }
        CHECK(std::current_exception() == nullptr);
        self.yield(2);
    });

    CHECK(*gen.next() == 1);
    CHECK(std::current_exception() == nullptr);
    try {
        throw 2;
    } catch (int) {
        CHECK(*gen.next() == 2);
        CHECK(std::current_exception() != nullptr);
    }
    CHECK(gen.next() == nullptr);
}

/* --- traps ------------------------------------------------------------------
 */

int *volatile nowhere;

void a_trap_is_an_exception_of_the_loop()
{
    moat::generator<int> gen([](auto &self) {
        self.yield(1);
        *nowhere = 1;
    });
    int items = 0;

    for (int i = 0; i < 2; ++i)
        try {
            for (int item : gen)
                items += item;
            CHECK(false); /* not reached */
        } catch (const moat::generator_trap &trap) {
            CHECK(trap.kind() == MOAT_TRAP_NULL && trap.info().regs == nullptr);
            CHECK(trap.what() == std::string("null pointer access"));
        }
    CHECK(items == 1 && gen.status() == MOAT_E_FAULT);
    CHECK(moat_co_get_state(gen.native_handle()) == MOAT_CO_TRAPPED);
}

} // namespace

int main(int argc, char **)
{
    a_range_has_all_items();
    items_are_passed_where_they_lie();
    a_tree_is_walked();
    other_ranges_are_passed_on();
#if WITH_VIEWS
    views_take_it();
#endif
    a_loop_left_early_cleans_up();
    it_moves();
    options_and_specs_hold();
    an_exception_of_the_body_comes_out();
    an_exception_passes_through_a_chain();
    an_exception_of_the_consumer_goes_in();
    the_lists_are_apart();
    /* Memory that a trapped body has allocated is lost. */
    if (argc == 1)
        a_trap_is_an_exception_of_the_loop();
    CHECK(counted::alive == 0);
    std::printf("%d failed\n", failures);
    return failures != 0;
}
