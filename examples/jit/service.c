/*
 * service.c: goes from a guest's stack to its resumer's, and so on to the
 * host's.
 *
 * Each resumer has enough stack for its step, because code_next checked it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "service.h"

#include <stddef.h>

#include <moat/moat.h>

struct service {
    void *(*fn)(void *);
    void *arg;
};

static void *step_down(void *arg)
{
    const struct service *service = arg;
    moat_co *here = moat_co_current();

    return here != NULL ? moat_call_on_parent(here, step_down, arg)
                        : service->fn(service->arg);
}

void *service_call(void *(*fn)(void *), void *arg)
{
    struct service service = {fn, arg};

    return step_down(&service);
}
