/*
 * test_refusals.c: each refusal of moat-malloc has a sentence.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>

#include <moat/malloc.h>

#include "support/fixture.h"
#include "support/refused.h"

static void options(const void *arg)
{
    moat_malloc_options asked = MOAT_MALLOC_OPTIONS_INIT;
    const moat_malloc_options plain = asked;

    (void)arg;
    INVAL("options is NULL", moat_malloc_configure(NULL));
    asked.struct_size = 5;
    INVAL("options->struct_size is 5: it must be 32|_INIT",
          moat_malloc_configure(&asked));
    asked = plain;
    asked.struct_size = offsetof(moat_malloc_options, keep_bytes);
    asked.keep_bytes = SIZE_MAX; /* not read */
    EXPECT_EQ(moat_malloc_configure(&asked), MOAT_OK);
    asked = plain;
    asked.quota_bytes = SIZE_MAX;
    INVAL("options->quota_bytes is 18446744073709551615|at most",
          moat_malloc_configure(&asked));
    asked = plain;
    asked.at_limit = (moat_malloc_limit)3;
    INVAL("options->at_limit is 3|MOAT_MALLOC_TRAP",
          moat_malloc_configure(&asked));
    EXPECT_EQ(moat_malloc_configure(&plain), MOAT_OK);
}

static const struct child_case cases[] = {
    CHILD_CASE(options),
};

int main(void)
{
    return child_cases_run("refusals of moat-malloc have sentences", cases,
                           sizeof cases / sizeof *cases, NULL);
}
