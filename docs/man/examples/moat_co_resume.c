/*
 * moat_co_resume.c: A host that resumes a guest until it ends, and survives its
 * fault.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/moat.h>

static int *volatile nowhere;

static void *guest(moat_co *self, void *input)
{
    int value = 1;

    moat_co_yield(self, &value);
    *nowhere = 2;
    return input;
}

static int run(moat_co *co)
{
    moat_event event;
    moat_status status;

    for (;;) {
        status = moat_co_resume(co, NULL, &event);
        if (status != MOAT_OK) {
            fprintf(stderr, "resume: %s\n", moat_status_str(status));
            return 1;
        }
        switch (event.kind) {
        case MOAT_EVENT_YIELD:
            printf("yielded %d\n", *(int *)event.value);
            break;
        case MOAT_EVENT_TRAP:
            printf("trapped\n");
            return 0;
        default:
            return 0;
        }
    }
}

int main(void)
{
    int failed;
    moat_co *co;

    if (moat_co_create(&co, guest, NULL) != MOAT_OK)
        return 1;
    failed = run(co);
    moat_co_destroy(co);
    return failed;
}
