/*
 * generators.c: starts, ends and errors of generators.
 *
 * SPDX-License-Identifier: MIT
 */
#include "generators.h"

#include <stdlib.h>
#include <string.h>

#include "service.h"

enum error {
    ERROR_NONE, /* no generator has that number */
    ERROR_ENDED,
    ERROR_RUNS,
    ERROR_TOO_MANY,
    ERROR_NO_MEMORY,
    ERROR_PASSED_ON,
    ERRORS
};

static const char *const errors[ERRORS] = {
    "there is no such generator", "the generator has ended",
    "the generator is running",   "too many generators",
    "no memory for a generator",  "an error in a generator",
};

const char *generators_error(int code)
{
    return code >= 0 && code < ERRORS ? errors[code] : NULL;
}

bool generators_error_is_passed_on(int code)
{
    return code == ERROR_PASSED_ON;
}

/* --- starts -------------------------------------------------------------- */

struct birth {
    const struct start *start;
    struct generators *all;
};

/* Runs on the host's stack. Returns NULL without memory. */
static void *make(void *argument)
{
    const struct birth *birth = argument;
    const struct start *start = birth->start;
    struct generator *made = calloc(1, sizeof *made);
    moat_co_options options = MOAT_CO_OPTIONS_INIT;

    if (made == NULL)
        return NULL;
    made->all = birth->all;
    memcpy(made->arguments, start->arguments,
           start->function->parameters * sizeof *made->arguments);
    options.flags = MOAT_CO_RECOVER_CODE;
    options.user = made;
    options.name = start->function->name;
    if (moat_co_create(&made->co, start->entry, &options) == MOAT_OK)
        return made;
    free(made);
    return NULL;
}

int64_t generators_start(moat_co *self, const struct start *start,
                         struct generators *all)
{
    struct birth birth = {start, all};
    struct generator *made;

    (void)self;
    if (all->count + 1 == MAX_GENERATORS)
        moat_trap_raise(ERROR_TOO_MANY);
    made = service_call(make, &birth);
    if (made == NULL)
        moat_trap_raise(ERROR_NO_MEMORY);
    all->at[++all->count] = made;
    return all->count;
}

void generators_free(struct generators *all)
{
    for (; all->count > 0; all->count--) {
        moat_co_destroy(all->at[all->count]->co);
        free(all->at[all->count]);
    }
}

/* --- after a resume ------------------------------------------------------ */

void generators_miss(moat_co *self)
{
    (void)self;
    moat_trap_raise(ERROR_NONE);
}

/* Runs on the host's stack. */
static void *report(void *argument)
{
    const struct generator *generator = argument;
    moat_trap_info trap = MOAT_TRAP_INFO_INIT;

    if (moat_co_trap_info(generator->co, &trap) == MOAT_OK &&
        !(trap.kind == MOAT_TRAP_RAISED &&
          generators_error_is_passed_on(trap.user_code)))
        generator->all->report(generator->co, generator->all->user);
    return NULL;
}

/* noinline gives it its own frame in the report. */
MOAT_NORETURN static __attribute__((noinline)) void refuse(const moat_co *co,
                                                           moat_status status)
{
    if (status != MOAT_E_STATE)
        moat_trap_raise(ERROR_NO_MEMORY); /* or stack */
    moat_trap_raise(moat_co_get_state(co) == MOAT_CO_DONE ? ERROR_ENDED
                                                          : ERROR_RUNS);
}

int64_t generators_take(moat_co *self, const struct resumed *resumed,
                        moat_status status)
{
    struct generator *generator = resumed->generator;
    const moat_event *event = &resumed->event;

    (void)self;
    if (status != MOAT_OK)
        refuse(generator->co, status);
    if (event->kind == MOAT_EVENT_TRAP) {
        if (generator->all->report != NULL)
            (void)service_call(report, generator);
        moat_trap_raise(ERROR_PASSED_ON);
    }
    generator->value = (intptr_t)event->value;
    return event->kind == MOAT_EVENT_YIELD;
}
