/*
 * moat_spec_create.c: The options of a hundred coroutines are checked once, and
 * their stacks are ready before the first of them is needed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static void *add(moat_co *self, void *input)
{
    *(int *)input += *(int *)moat_co_user(self);
    return input;
}

static moat_status run_all(moat_spec *spec, int *sum)
{
    moat_status status = MOAT_OK;
    moat_event event;
    moat_co *co;

    for (int i = 1; i <= 100 && status == MOAT_OK; i++) {
        status = moat_co_create_from(&co, spec, add, &i);
        if (status == MOAT_OK) {
            status = moat_co_resume(co, sum, &event);
            moat_co_destroy(co);
        }
    }
    return status;
}

int main(void)
{
    moat_co_options options = MOAT_CO_OPTIONS_INIT;
    moat_spec *spec;
    moat_status status;
    int sum = 0;

    options.stack_bytes = 32 << 10;
    options.name = "adder";
    if (moat_spec_create(&spec, &options) != MOAT_OK)
        return 1;
    status = moat_spec_prepare(spec, 1);
    if (status == MOAT_OK)
        status = run_all(spec, &sum);
    moat_spec_destroy(spec);
    printf("%d\n", sum);
    return status != MOAT_OK || sum != 5050;
}
