/*
 * lines.c: reports whose lines lines.sh checks. lines.sh compiles it as C and
 * as C++.
 *
 *   lines [json] [poisoned]   "poisoned": after a guest that left a lock held
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <moat/moat.h>

#define INLINED inline __attribute__((always_inline))

static const volatile int *volatile nowhere;
static FILE *volatile no_stream;

INLINED int value_of(const volatile int *p)
{
    return *p; /* FAULT */
}

INLINED int sum(const volatile int *p)
{
    return value_of(p) + /* CALL 1 */
           1;
}

static __attribute__((noinline)) void *guest(moat_co *self, void *input)
{
    (void)self;
    return sum(nowhere) != 0 ? input : NULL; /* CALL 2 */
}

static void *hold_lock(moat_co *self, void *input)
{
    (void)self;
    (void)fflush(no_stream);
    return input;
}

static moat_co *create(moat_entry entry)
{
    moat_co *co = NULL;

    if (moat_co_create(&co, entry, NULL) != MOAT_OK)
        _exit(1);
    return co;
}

/* Asks about the guest, so that it counts as poisoned. */
static void poison(void)
{
    moat_co *co = create(hold_lock);
    moat_event event;

    no_stream = (FILE *)16;
    if (moat_co_resume(co, NULL, &event) != MOAT_OK || !moat_co_is_poisoned(co))
        _exit(1);
}

int main(int argc, char **argv)
{
    int json = argc > 1 && strcmp(argv[1], "json") == 0;
    moat_event event;
    moat_status status;
    moat_co *co;

    if (argc > 1 && strcmp(argv[argc - 1], "poisoned") == 0)
        poison();
    co = create(guest);
    status = moat_co_resume(co, NULL, &event); /* RESUME */
    if (status != MOAT_OK || event.kind != MOAT_EVENT_TRAP)
        return 1;
    status = json ? moat_co_write_json(co, STDOUT_FILENO)
                  : moat_co_print_report(co, STDOUT_FILENO);
    _exit(status != MOAT_OK);
}
