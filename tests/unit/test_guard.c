/*
 * test_guard.c: the kind of guard that is chosen, and the protection by each
 * kind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "stack/guard_choice.h"
#include "sys/guard.h"
#include "sys/size.h"

static moat_guard_kind best(void)
{
    return moat_guard_marks_work() ? MOAT_GUARD_MADVISE : MOAT_GUARD_MPROTECT;
}

/* Chooses automatically, with MOAT_GUARD=text in the environment. */
static moat_status choose(const char *text, moat_guard_kind *out)
{
    if (text == NULL)
        assert_int_equal(unsetenv("MOAT_GUARD"), 0);
    else
        assert_int_equal(setenv("MOAT_GUARD", text, 1), 0);
    return moat_guard_choose(MOAT_GUARD_AUTO, out);
}

static void an_open_choice_follows_the_environment(void **state)
{
    moat_guard_kind kind = MOAT_GUARD_AUTO;

    (void)state;
    assert_int_equal(choose(NULL, &kind), MOAT_OK);
    assert_int_equal(kind, best());
    assert_int_equal(choose("", &kind), MOAT_OK);
    assert_int_equal(kind, best());
    assert_int_equal(choose("auto", &kind), MOAT_OK);
    assert_int_equal(kind, best());
    assert_int_equal(choose("mprotect", &kind), MOAT_OK);
    assert_int_equal(kind, MOAT_GUARD_MPROTECT);
    assert_int_equal(choose("madvise", &kind),
                     moat_guard_marks_work() ? MOAT_OK : MOAT_E_UNSUPPORTED);
}

static void garbage_in_the_environment_is_refused(void **state)
{
    static const char *const garbage[] = {"none", "MPROTECT", "mprotect ", "2"};
    moat_guard_kind kind;

    (void)state;
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++)
        assert_int_equal(choose(garbage[i], &kind), MOAT_E_INVAL);
}

static void a_made_choice_does_not_ask_the_environment(void **state)
{
    moat_guard_kind kind = MOAT_GUARD_AUTO;

    (void)state;
    assert_int_equal(setenv("MOAT_GUARD", "none", 1), 0);
    assert_int_equal(moat_guard_choose(MOAT_GUARD_MPROTECT, &kind), MOAT_OK);
    assert_int_equal(kind, MOAT_GUARD_MPROTECT);
    assert_int_equal(moat_guard_choose((moat_guard_kind)3, &kind),
                     MOAT_E_INVAL);
    assert_int_equal(moat_guard_choose((moat_guard_kind)-1, &kind),
                     MOAT_E_INVAL);
}

/* Uses a system call that writes to the page: it fails where a store would
 * fault. */
static int is_writable(void *page)
{
    return !(getrandom(page, 1, GRND_NONBLOCK) == -1 && errno == EFAULT);
}

static void check_kind(moat_status (*install)(uintptr_t, size_t))
{
    char *memory = mmap(NULL, 4 * moat_page_bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    assert_int_equal(
        install((uintptr_t)memory + moat_page_bytes(), 2 * moat_page_bytes()),
        MOAT_OK);
    assert_true(is_writable(memory));
    assert_false(is_writable(memory + moat_page_bytes()));
    assert_false(is_writable(memory + 2 * moat_page_bytes()));
    assert_true(is_writable(memory + 3 * moat_page_bytes()));
    assert_int_equal(munmap(memory, 4 * moat_page_bytes()), 0);
}

static moat_status install_by_madvise(uintptr_t address, size_t bytes)
{
    const struct moat_pages range = {address, address + bytes};
    size_t count = 1;
    moat_status status = moat_guard_mark(&range, &count);

    assert_int_equal(count, status == MOAT_OK);
    return status;
}

static void guards_cannot_be_written(void **state)
{
    (void)state;
    check_kind(moat_memory_close);
    if (moat_guard_marks_work())
        check_kind(install_by_madvise);
}

static void an_opened_range_can_be_written(void **state)
{
    char *memory = mmap(NULL, moat_page_bytes(), PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(memory != MAP_FAILED);
    assert_false(is_writable(memory));
    assert_int_equal(moat_memory_open((uintptr_t)memory, moat_page_bytes()),
                     MOAT_OK);
    assert_true(is_writable(memory));
    assert_int_equal(munmap(memory, moat_page_bytes()), 0);
}

/* mlockall(MCL_FUTURE) locks all memory like this. */
static void locked_memory_gets_a_guard_too(void **state)
{
    char *memory = mmap(NULL, moat_page_bytes(), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(memory != MAP_FAILED);
    if (!moat_guard_marks_work() || mlock(memory, moat_page_bytes()) != 0)
        skip_for("no memory can be locked, or guards are PROT_NONE only");
    assert_int_equal(install_by_madvise((uintptr_t)memory, moat_page_bytes()),
                     MOAT_OK);
    assert_false(is_writable(memory));
    assert_int_equal(munmap(memory, moat_page_bytes()), 0);
}

/* --- many in one call ----------------------------------------------------- */

#define MANY MOAT_MAX_RANGES

/* Makes ranges of a page each, a page apart, in memory of that many pages. */
static char *map_many(struct moat_pages *ranges)
{
    char *memory =
        mmap(NULL, 2 * MANY * moat_page_bytes(), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    for (size_t i = 0; i < MANY; i++) {
        ranges[i].low = (uintptr_t)memory + 2 * i * moat_page_bytes();
        ranges[i].high = ranges[i].low + moat_page_bytes();
    }
    return memory;
}

/* Expects guards in the first `guards` ranges and nowhere else. */
static void expect_guards(char *memory, size_t guards)
{
    for (size_t i = 0; i < 2 * MANY; i++)
        assert_int_equal(is_writable(memory + i * moat_page_bytes()),
                         i % 2 != 0 || i / 2 >= guards);
}

static bool use_batches(bool batch)
{
    moat_methods.batch = batch;
    return moat_guard_marks_work() && (!batch || moat_guard_marks_batch());
}

static void check_many(bool batch)
{
    struct moat_pages ranges[MANY];

    if (!use_batches(batch))
        skip_for("guards are not made in batches here");
    for (size_t asked = 1; asked <= MANY; asked += 9) {
        char *memory = map_many(ranges);
        size_t count = asked;

        assert_int_equal(moat_guard_mark(ranges, &count), MOAT_OK);
        assert_int_equal(count, asked);
        expect_guards(memory, asked);
        assert_int_equal(munmap(memory, 2 * MANY * moat_page_bytes()), 0);
    }
}

static void many_guards_are_made_one_by_one(void **state)
{
    (void)state;
    check_many(false);
}

static void many_guards_are_made_together(void **state)
{
    (void)state;
    check_many(true);
}

/* An unmapped range cannot be guarded. Those before it are guarded, and the
 * returned count is right. */
static void check_refused(bool batch)
{
    static const size_t holes[] = {MANY - 1, 7, 1};
    struct moat_pages ranges[MANY];
    size_t count = MANY;
    char *memory;

    if (!use_batches(batch))
        skip_for("guards are not made in batches here");
    memory = map_many(ranges);
    for (size_t i = 0; i < sizeof holes / sizeof holes[0]; i++) {
        uintptr_t hole = ranges[holes[i]].low;

        assert_int_equal(munmap((void *)hole, moat_page_bytes()), 0);
        count = MANY;
        assert_int_equal(moat_guard_mark(ranges, &count), MOAT_OK);
        assert_int_equal(count, holes[i]);
        for (size_t j = 0; j < count; j++)
            assert_false(is_writable((void *)ranges[j].low));
    }
    assert_int_equal(munmap(memory, moat_page_bytes()), 0);
    count = MANY;
    assert_int_equal(moat_guard_mark(ranges, &count), MOAT_E_NOMEM);
    assert_int_equal(count, 0);
    assert_int_equal(munmap(memory, 2 * MANY * moat_page_bytes()), 0);
}

static void the_first_that_is_refused_ends_it_one_by_one(void **state)
{
    (void)state;
    check_refused(false);
}

static void the_first_that_is_refused_ends_it_together(void **state)
{
    (void)state;
    check_refused(true);
}

/* The kernel refuses the whole batch, and then each range. */
static void many_guards_are_made_in_locked_memory(void **state)
{
    struct moat_pages ranges[MANY];
    const size_t locked = 4 * moat_page_bytes(); /* the limit may be low */
    size_t count = MANY;
    char *memory;

    (void)state;
    if (!use_batches(true))
        skip_for("guards are not made in batches here");
    memory = map_many(ranges);
    if (mlock(memory + locked, locked) != 0)
        skip_for("no memory can be locked");
    assert_int_equal(moat_guard_mark(ranges, &count), MOAT_OK);
    assert_int_equal(count, MANY);
    expect_guards(memory, MANY);
    assert_int_equal(munmap(memory, 2 * MANY * moat_page_bytes()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_choice_follows_the_environment),
        cmocka_unit_test(garbage_in_the_environment_is_refused),
        cmocka_unit_test(a_made_choice_does_not_ask_the_environment),
        cmocka_unit_test(guards_cannot_be_written),
        cmocka_unit_test(an_opened_range_can_be_written),
        cmocka_unit_test(locked_memory_gets_a_guard_too),
        cmocka_unit_test(many_guards_are_made_one_by_one),
        cmocka_unit_test(many_guards_are_made_together),
        cmocka_unit_test(the_first_that_is_refused_ends_it_one_by_one),
        cmocka_unit_test(the_first_that_is_refused_ends_it_together),
        cmocka_unit_test(many_guards_are_made_in_locked_memory),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
