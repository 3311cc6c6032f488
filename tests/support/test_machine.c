/*
 * test_machine.c: the probes report what happens, and can fail.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#include "machine.h"

static void do_nothing(uintptr_t arg)
{
    (void)arg;
}

static void read_at(uintptr_t address)
{
    __asm__ volatile("movl (%0), %%eax" : : "r"(address) : "eax", "memory");
}

static void the_signal_that_ends_the_child_is_found(void **state)
{
    (void)state;
    assert_int_equal(machine_signal_of(do_nothing, 0), 0);
    assert_int_equal(machine_signal_of(read_at, 0), SIGSEGV);
}

static void a_far_jump_needs_a_code_segment(void **state)
{
    (void)state;
    assert_int_equal(machine_signal_of_far_jump(MACHINE_CODE_64_BIT), SIGILL);
    assert_int_equal(machine_signal_of_far_jump(MACHINE_DATA), SIGSEGV);
    assert_int_equal(machine_signal_of_far_jump(0), SIGSEGV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signal_that_ends_the_child_is_found),
        cmocka_unit_test(a_far_jump_needs_a_code_segment),
    };
    const char *lacking = machine_lacks_32_bit_code();

    (void)printf("32-bit code: %s\n", lacking == NULL ? "there" : lacking);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
