/*
 * test_fake_stacks.c: the address sanitizer's fake stacks, one per coroutine
 * that was entered. Those of coroutines that never finished must be released
 * too. Fake stacks exist only with detect_stack_use_after_return=1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <unistd.h>

#include <moat/moat.h>

#include "../support/fixture.h"
#include "guests.h"

#define WARM_UP  20
#define ROUNDS   400
#define MAX_GROW ((size_t)64 << 20)

static size_t address_space_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;

    REQUIRE(file != NULL);
    REQUIRE(fscanf(file, "%zu", &pages) == 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A local whose address escapes is placed on the fake stack. */
static void *yield_a_local(moat_co *self, void *input)
{
    volatile char local[64];

    local[0] = 1;
    (void)moat_co_yield(self, (void *)(uintptr_t)local);
    EXPECT_EQ(local[0], 1);
    return input;
}

static void *write_null_near_a_local(moat_co *self, void *input)
{
    volatile char local[64];

    local[0] = 1;
    *(volatile char **)input = local;
    write_null();
    return self;
}

static void run_and_drop(void)
{
    moat_co *suspended = guest_create(yield_a_local);
    moat_co *trapped = guest_create(write_null_near_a_local);
    moat_co *done = guest_create(yield_a_local);
    char *local = NULL;

    EXPECT_EQ(guest_resume(suspended, NULL).kind, MOAT_EVENT_YIELD);
    guest_expect_trap(trapped, &local, MOAT_TRAP_NULL);
    EXPECT_EQ(guest_resume(done, NULL).kind, MOAT_EVENT_YIELD);
    EXPECT_EQ(guest_resume(done, NULL).kind, MOAT_EVENT_RETURN);
    moat_co_destroy(suspended);
    moat_co_destroy(trapped);
    moat_co_destroy(done);
}

static void destroyed_coroutines_give_their_fake_stacks_back(const void *arg)
{
    size_t before = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        run_and_drop();
        if (i == WARM_UP)
            before = address_space_bytes();
    }
    EXPECT(address_space_bytes() < before + MAX_GROW);
}

static void reset_coroutines_give_their_fake_stacks_back(const void *arg)
{
    moat_co *co = guest_create(yield_a_local);
    size_t before = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT_EQ(guest_resume(co, NULL).kind, MOAT_EVENT_YIELD);
        EXPECT_EQ(moat_co_reset(co), MOAT_OK);
        if (i == WARM_UP)
            before = address_space_bytes();
    }
    EXPECT(address_space_bytes() < before + MAX_GROW);
    moat_co_destroy(co);
}

static const struct child_case cases[] = {
    CHILD_CASE(destroyed_coroutines_give_their_fake_stacks_back),
    CHILD_CASE(reset_coroutines_give_their_fake_stacks_back),
};

int main(int argc, char **argv)
{
    return child_cases_run("fake stacks are released", cases,
                           sizeof(cases) / sizeof(cases[0]),
                           argc > 1 ? argv[1] : NULL);
}
