/*
 * memory.c: a host built with MemorySanitizer, and a library that is not.
 *
 *   memory untold  uses what the library wrote: reported
 *   memory told    tells MemorySanitizer first: not reported
 *   memory trap    the same, with guests that trap, are cancelled or make host
 *                  calls
 *   memory guest   a guest uses a local before it is set: reported
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/msan_interface.h>

#include <moat/moat.h>

/* Memory that the library has written through a pointer. */
#define WRITTEN(object) __msan_unpoison(&(object), sizeof(object))

static int *volatile nowhere;

__attribute__((noinline)) static long deeper(long depth)
{
    volatile long local = depth;

    return local > 0 ? deeper(depth - 1) + local : 0;
}

static void *guest(moat_co *self, void *input)
{
    long *sum = calloc(1, sizeof *sum);

    for (int i = 0; sum != NULL && i < 100; i++) {
        *sum += deeper(20) + (input != NULL);
        input = moat_co_yield(self, (void *)*sum);
        if (*sum % 2 == 7)
            puts("never");
    }
    free(sum);
    return NULL;
}

static void *guest_that_traps(moat_co *self, void *input)
{
    (void)self;
    *nowhere = (int)deeper(20);
    return input;
}

static void *guest_that_reads_nothing(moat_co *self, void *input)
{
    int local;
    int *set_by_nobody = &local;

    __asm__ volatile("" : "+r"(set_by_nobody));
    if (*set_by_nobody != 0)
        puts("not zero");
    return input != NULL ? self : NULL;
}

static void *half_of(void *number)
{
    long value = *(long *)number;

    return value % 2 == 0 ? (void *)(value / 2) : NULL;
}

static void undo(long *number)
{
    if (*number == 3)
        *number = 0;
}

static void *guest_that_waits(moat_co *self, void *input)
{
    __attribute__((cleanup(undo))) long number = 2 * deeper(20);

    if ((long)moat_call_on_parent(self, half_of, &number) != 210)
        exit(1);
    number = 3;
    return moat_co_yield(self, input);
}

static moat_co *create(moat_entry entry, bool told)
{
    moat_co *co;

    if (moat_co_create(&co, entry, NULL) != MOAT_OK)
        exit(1);
    if (told)
        WRITTEN(co);
    return co;
}

static moat_event resume(moat_co *co)
{
    moat_event event;

    if (moat_co_resume(co, co, &event) != MOAT_OK)
        exit(1);
    WRITTEN(event);
    return event;
}

static void trap(void)
{
    for (int i = 0; i < 20; i++) {
        moat_co *co = create(guest_that_traps, true);
        moat_trap_info info = MOAT_TRAP_INFO_INIT;

        if (resume(co).kind != MOAT_EVENT_TRAP ||
            moat_co_trap_info(co, &info) != MOAT_OK)
            exit(1);
        WRITTEN(info);
        if (info.kind != MOAT_TRAP_NULL)
            exit(1);
        moat_co_destroy(co);
    }
}

static void cancel(void)
{
    for (int i = 0; i < 20; i++) {
        moat_co *co = create(guest_that_waits, true);
        moat_event event;

        if (resume(co).kind != MOAT_EVENT_YIELD ||
            moat_co_cancel(co, &event) != MOAT_OK)
            exit(1);
        WRITTEN(event);
        if (event.kind != MOAT_EVENT_RETURN)
            exit(1);
        moat_co_destroy(co);
    }
}

static void run(moat_co *co)
{
    while (resume(co).kind == MOAT_EVENT_YIELD)
        ;
    moat_co_destroy(co);
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (strcmp(what, "trap") == 0) {
        trap();
        cancel();
    } else if (strcmp(what, "guest") == 0) {
        run(create(guest_that_reads_nothing, true));
    } else {
        run(create(guest, strcmp(what, "told") == 0));
    }
    return 0;
}
