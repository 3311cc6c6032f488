/*
 * moat_supervisor_run.c: A service that crashes is started again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <moat/sched.h>

static int starts;
static int *volatile nowhere;

static void *serve(void *arg)
{
    printf("start %d\n", ++starts);
    if (starts < 3)
        *nowhere = starts;
    return arg;
}

static void *first(void *arg)
{
    moat_child_spec spec = MOAT_CHILD_SPEC_INIT;
    moat_supervisor *supervisor;

    if (moat_supervisor_create(&supervisor, NULL) != MOAT_OK)
        return arg;
    spec.name = "service";
    spec.fn = serve;
    spec.restart = MOAT_RESTART_TRANSIENT;
    if (moat_supervisor_add(supervisor, &spec, NULL) == MOAT_OK)
        printf("%s\n", moat_status_name(moat_supervisor_run(supervisor)));
    moat_supervisor_destroy(supervisor);
    return arg;
}

int main(void)
{
    return moat_sched_run(NULL, first, NULL, NULL) == MOAT_OK ? 0 : 1;
}
