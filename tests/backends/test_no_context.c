/*
 * test_no_context.c: a C library without contexts, on a CPU without a port: no
 * fault could be contained, so the engine refuses to begin.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include <moat/moat.h>

#include "../support/fixture.h"

int __wrap_getcontext(ucontext_t *context);

/* The library never calls the real one. */
int __wrap_getcontext(ucontext_t *context)
{
    (void)context;
    errno = ENOSYS;
    return -1;
}

static void *never_entered(moat_co *self, void *input)
{
    (void)self;
    return input;
}

static void the_engine_refuses_to_begin(const void *arg)
{
    moat_co *co = NULL;

    (void)arg;
    EXPECT_EQ(moat_engine_init(NULL), MOAT_E_UNSUPPORTED);
    EXPECT(strstr(moat_error_detail(), "stack pointer") != NULL);
    EXPECT_EQ(moat_co_create(&co, never_entered, NULL), MOAT_E_UNSUPPORTED);
}

int main(void)
{
    static const struct child_case cases[] = {
        CHILD_CASE(the_engine_refuses_to_begin),
    };

    return child_cases_run("no context", cases, sizeof cases / sizeof cases[0],
                           NULL);
}
