/*
 * profile.c: guests whose calls a profiler counts: 10 resumes of 100 calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include <moat/moat.h>

static volatile unsigned long sum;

__attribute__((noinline)) void work_in_guest(void);

__attribute__((noinline)) void work_in_guest(void)
{
    for (int i = 0; i < 10000; i++)
        sum += (unsigned long)i;
}

static void *guest(moat_co *self, void *input)
{
    for (;;) {
        for (int i = 0; i < 100; i++)
            work_in_guest();
        input = moat_co_yield(self, input);
    }
    return NULL;
}

int main(void)
{
    moat_event event;
    moat_co *co;
    int failed = 0;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    for (int i = 0; i < 10; i++)
        failed |= moat_co_resume(co, NULL, &event) != MOAT_OK;
    moat_co_destroy(co);
    return failed;
}
