/*
 * take.c: takes what a guest can hold, on the host's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include "malloc/take.h"

#include <errno.h>

#include <moat/moat.h>

/* A try of a guest's: no time limit can stop it meanwhile. */
#define TRY_NS 5000000

#define NS_PER_S 1000000000

struct timespec moat_end_of_try(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += TRY_NS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_nsec -= NS_PER_S;
        at.tv_sec++;
    }
    return at;
}

bool moat_has_passed(clockid_t clock, const struct timespec *until)
{
    struct timespec now;

    if (until == NULL || clock_gettime(clock, &now) != 0)
        return false;
    return now.tv_sec != until->tv_sec ? now.tv_sec > until->tv_sec
                                       : now.tv_nsec >= until->tv_nsec;
}

bool moat_is_time(const struct timespec *time)
{
    return time->tv_nsec >= 0 && time->tv_nsec < NS_PER_S;
}

struct take_call {
    struct moat_libc_call call;
    moat_co *co;
    enum moat_held_kind kind;
    void *object;
    int (*fn)(void *);
    int error;
};

/* A robust mutex whose owner has died is taken all the same. Without memory for
 * the note, it is taken without one. */
static void take_run(struct moat_libc_call *call)
{
    struct take_call *each = (struct take_call *)call;
    struct moat_holder *holder = moat_held_prepare(each->co);

    each->error = each->fn(each->object);
    if (holder != NULL && (each->error == 0 || each->error == EOWNERDEAD))
        moat_held_add(holder, each->kind, each->object);
}

static bool remove_own(const struct take_call *each)
{
    return moat_held_remove(each->co, each->kind, each->object) ||
           (each->kind == MOAT_HELD_WRITE_LOCK &&
            moat_held_remove(each->co, MOAT_HELD_READ_LOCK, each->object));
}

/* To the C library all guests of a thread are one: each can unlock what another
 * has locked. */
static bool has_one_holder(enum moat_held_kind kind)
{
    return kind == MOAT_HELD_MUTEX || kind == MOAT_HELD_WRITE_LOCK ||
           kind == MOAT_HELD_SPIN_LOCK;
}

/* The notes come first: afterwards the object may be gone. If it cannot be
 * given back, it is not the thread's. */
static void give_run(struct moat_libc_call *call)
{
    struct take_call *each = (struct take_call *)call;

    if (!remove_own(each) && has_one_holder(each->kind))
        moat_held_returned(each->kind, each->object);
    each->error = each->fn(each->object);
}

static int call_for(enum moat_held_kind kind, void *object, int (*fn)(void *),
                    void (*run)(struct moat_libc_call *))
{
    struct take_call each = {
        {.run = run}, moat_co_current(), kind, object, fn, 0};

    moat_touch_in(object, 1);
    moat_libc_call(&each.call);
    return each.error;
}

/* Between two tries the guest can be stopped. */
int moat_take(enum moat_held_kind kind, void *object, int (*fn)(void *),
              clockid_t clock, const struct timespec *until)
{
    int error;

    if (until != NULL)
        moat_touch_in(until, sizeof *until);
    do
        error = call_for(kind, object, fn, take_run);
    while (error == ETIMEDOUT && !moat_has_passed(clock, until));
    return error;
}

int moat_take_once(enum moat_held_kind kind, void *object, int (*fn)(void *))
{
    return call_for(kind, object, fn, take_run);
}

int moat_give(enum moat_held_kind kind, void *object, int (*fn)(void *))
{
    return call_for(kind, object, fn, give_run);
}
