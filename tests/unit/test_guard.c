/*
 * test_guard.c: which kind of guard is chosen, and that each kind is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "stack/size.h"
#include "stack/stack.h"

static moat_guard_kind best(void)
{
    return moat_guard_madvise_works() ? MOAT_GUARD_MADVISE
                                      : MOAT_GUARD_MPROTECT;
}

/* What an open choice comes to, with MOAT_GUARD=text in the environment. */
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
                     moat_guard_madvise_works() ? MOAT_OK : MOAT_E_UNSUPPORTED);
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

/* A system call that must write to the page says what a store would meet. */
static int is_writable(void *page)
{
    return !(getrandom(page, 1, GRND_NONBLOCK) == -1 && errno == EFAULT);
}

static void check_kind(moat_status (*install)(uintptr_t, size_t))
{
    char *memory = mmap(NULL, 4 * MOAT_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    assert_int_equal(
        install((uintptr_t)memory + MOAT_PAGE_BYTES, 2 * MOAT_PAGE_BYTES),
        MOAT_OK);
    assert_true(is_writable(memory));
    assert_false(is_writable(memory + MOAT_PAGE_BYTES));
    assert_false(is_writable(memory + 2 * MOAT_PAGE_BYTES));
    assert_true(is_writable(memory + 3 * MOAT_PAGE_BYTES));
    assert_int_equal(munmap(memory, 4 * MOAT_PAGE_BYTES), 0);
}

static void guards_cannot_be_written(void **state)
{
    (void)state;
    check_kind(moat_guard_mprotect_install);
    if (moat_guard_madvise_works())
        check_kind(moat_guard_madvise_install);
}

static void an_opened_range_can_be_written(void **state)
{
    char *memory = mmap(NULL, MOAT_PAGE_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(memory != MAP_FAILED);
    assert_false(is_writable(memory));
    assert_int_equal(
        moat_guard_mprotect_open((uintptr_t)memory, MOAT_PAGE_BYTES), MOAT_OK);
    assert_true(is_writable(memory));
    assert_int_equal(munmap(memory, MOAT_PAGE_BYTES), 0);
}

/* What mlockall(MCL_FUTURE) makes of all memory. */
static void locked_memory_gets_a_guard_too(void **state)
{
    char *memory = mmap(NULL, MOAT_PAGE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(memory != MAP_FAILED);
    if (!moat_guard_madvise_works() || mlock(memory, MOAT_PAGE_BYTES) != 0)
        skip();
    assert_int_equal(
        moat_guard_madvise_install((uintptr_t)memory, MOAT_PAGE_BYTES),
        MOAT_OK);
    assert_false(is_writable(memory));
    assert_int_equal(munmap(memory, MOAT_PAGE_BYTES), 0);
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
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
