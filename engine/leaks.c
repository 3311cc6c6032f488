/*
 * leaks.c: what coroutines own is no leak.
 *
 * LeakSanitizer looks for pointers on the stacks of threads, in the data of
 * modules and in what these lead to. It knows no stack of a coroutine but the
 * one that a thread is on, and then it does not know the host's. It would
 * report memory that is owned from these stacks.
 *
 * Each range that it is told of costs it a reading of the process's mappings,
 * and taking one back a search of the list. And a stack as a whole would not
 * do: LeakSanitizer faults on a guard made by madvise, and words of frames that
 * have ended would hide leaks. So nothing is told while coroutines come and go,
 * which costs nothing. At the exit, before it looks, the words that are in use
 * are copied to one range, which it is told of.
 *
 * It looks in its own exit function, which was registered before main and so
 * runs after ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "engine/leaks.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <moat/roots.h>

#include "engine/coroutine.h"
#include "engine/lock.h"
#include "engine/nointr.h"
#include "sys/memory.h"
#include "sys/size.h"

/* The copy. */
struct words {
    uintptr_t begin; /* 0: not there yet                                     */
    size_t room;     /* its size                                             */
    size_t bytes;    /* in use, or needed                                    */
};

static void count(void *begin, void *end, void *arg)
{
    struct words *words = arg;

    words->bytes += (size_t)((char *)end - (char *)begin);
}

/* Other threads may go on, and release memory that is being copied: it is read
 * so that it may be missing. A range that cannot be copied is announced where
 * it is. */
static void copy(void *begin, void *end, void *arg)
{
    struct words *words = arg;
    const struct moat_memory_part part = {
        (uintptr_t)begin, (size_t)((char *)end - (char *)begin)};
    size_t copied = 0;

    if (part.bytes <= words->room - words->bytes &&
        moat_memory_read(&part, 1, (void *)(words->begin + words->bytes),
                         &copied) == MOAT_OK)
        words->bytes += copied;
    else
        moat_annotate_reachable(part.begin, part.begin + part.bytes);
}

/* --- what is visited ------------------------------------------------------ */

/* The guest that calls exit, if one does: only AddressSanitizer knows its
 * stack. */
static void visit_caller(moat_root_visit each, struct words *words)
{
    const struct co *co = moat_running();
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);

    if (co != NULL && sp >= co->slot.limit && sp < co->slot.base)
        each((void *)sp, (void *)co->slot.base, words);
}

static void visit(moat_root_visit each, struct words *words)
{
    (void)moat_visit_roots(each, words);
    visit_caller(each, words);
}

/* --- at the exit ---------------------------------------------------------- */

/* Without memory for the copy there is no room, and each range is announced. */
static void make_room(struct words *words)
{
    size_t room;

    if (words->bytes == 0 || !moat_size_to_pages(words->bytes, &room))
        return;
    words->begin = moat_memory_reserve(room);
    if (words->begin != 0 && moat_memory_open(words->begin, room) == MOAT_OK)
        words->room = room;
}

static void announce(void)
{
    struct words words = {0, 0, 0};

    visit(count, &words);
    make_room(&words);
    words.bytes = 0;
    visit(copy, &words);
    if (words.bytes != 0)
        moat_annotate_reachable(words.begin, words.begin + words.bytes);
}

static void on_exit_of_process(void)
{
    moat_nointr_enter();
    moat_engine_lock();
    announce();
    moat_engine_unlock();
    moat_nointr_leave();
}

static atomic_bool prepared;

moat_status moat_leaks_prepare(void)
{
    if (!moat_annotate_finds_leaks() || atomic_load(&prepared))
        return MOAT_OK;
    if (atexit(on_exit_of_process) != 0)
        return MOAT_E_NOMEM;
    atomic_store(&prepared, true);
    return MOAT_OK;
}
